"""Trains a model on labels: examples, their split, the loop, checkpoints, the model card."""
