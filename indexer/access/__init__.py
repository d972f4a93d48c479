"""API keys, as the data directory keeps them."""
