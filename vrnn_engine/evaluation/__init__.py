"""Measures models: likelihood bounds, latents of a recording, and statistics of generated sound and ink."""
