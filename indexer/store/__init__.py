"""What search and ingest need of a collection, and what implements it."""
