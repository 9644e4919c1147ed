"""Corpora on disk -> batches of sequences for training and evaluation."""
