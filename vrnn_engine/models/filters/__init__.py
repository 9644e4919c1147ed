"""Filters that a model chooses in each frame."""
