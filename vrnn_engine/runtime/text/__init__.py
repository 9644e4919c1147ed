"""The text of a stream: its characters, its words, what has been written, and where the pen is on its line."""
