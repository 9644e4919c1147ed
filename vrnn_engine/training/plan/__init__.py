"""Changes a recipe before or while it runs: adapts it to few data, fits it to recordings, stretches its schedule."""
