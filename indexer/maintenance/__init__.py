"""Checks, compacts, copies, restores, merges and re-embeds catalogues."""
