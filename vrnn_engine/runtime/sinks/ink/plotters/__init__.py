"""Pen plotters: files in their languages, and drawing over serial ports."""
