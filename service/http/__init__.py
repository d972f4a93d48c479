"""What every endpoint shares: parsing, problems, headers, logs, metrics, OpenAPI."""
