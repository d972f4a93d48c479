"""What all SQLite files of the library need: write-ahead mode and errors in plain words."""
