"""Shared by all endpoints: parsing, problems, headers, logs, OpenAPI, routing.

Imports `service.engine` and `service.access`, never `service.api`.
"""
