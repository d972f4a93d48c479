"""What every endpoint shares: parsing, problems, headers, logs, OpenAPI, routing.

Imports `service.engine` and `service.access`, never `service.api.endpoints`.
"""
