"""Changes a catalogue: rows are read, fetched, decoded, embedded and committed."""
