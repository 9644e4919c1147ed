"""Pen plotters: their languages, as files and over serial ports."""
