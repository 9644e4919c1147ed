"""Generates the ink of streams that write a text, and what such a stream can do besides other streams."""
