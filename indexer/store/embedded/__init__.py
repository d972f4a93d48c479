"""A collection on the disk of this machine: catalogue, index and attribute columns."""
