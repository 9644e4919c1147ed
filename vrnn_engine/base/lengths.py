"""Units of length that ink can be in."""

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96}
"""Millimetres of each unit of length."""
