"""Tells what works on this machine and how fast: `doctor`, `bench`, and the limits of the machine."""
