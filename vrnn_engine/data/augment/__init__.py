"""Augmentation of recordings in training: other band limits, gain, telephone band and noise."""
