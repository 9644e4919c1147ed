"""Trains recipes: the trainer, its schedules, validation, and checkpoints."""
