"""Measures models: likelihood bounds, latents of a recording, and statistics of what a model generates."""
