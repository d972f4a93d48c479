"""Rows to a collection in stages: read, fetch, decode, embed, commit; and single edits."""
