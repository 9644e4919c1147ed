"""Sinks for ink: pages, SVG, the terminal, plotters."""
