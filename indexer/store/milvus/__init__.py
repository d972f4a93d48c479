"""The storage protocol on Milvus: a server, a cluster, or milvus-lite in a file.

docs/decisions/milvus.md describes the rows, versions and the writer's lease.
"""
