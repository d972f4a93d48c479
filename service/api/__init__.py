"""The endpoints: parse, call, answer. One file for each noun."""
