"""Quality of search results, measured against labels: metrics, comparison, reports."""
