"""How good a model is: statistics of what it generates, beside those of real material."""
