"""Storage on the local disk: catalogue in SQLite, FAISS index, attribute columns."""
