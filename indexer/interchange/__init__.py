"""Import and export of vectors as plain files."""
