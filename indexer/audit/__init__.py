"""What is wrong with a catalogue's photos: duplicates, bad files, wrong labels, lost products."""
