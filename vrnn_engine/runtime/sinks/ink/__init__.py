"""Sinks for ink: pages, SVG files, plotters and the terminal."""
