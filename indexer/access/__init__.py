"""API keys in the data directory."""
