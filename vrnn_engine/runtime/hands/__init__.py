"""Hands: how a voice that reads a text writes, saved under a name."""
