"""Ink from other programs: reads SVG, InkML, CSV and stroke-3, and writes what training and `--prime` read."""
