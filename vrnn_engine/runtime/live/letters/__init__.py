"""Texts that a stream writes: read from a file or a pipe, or typed, and given to the stream as it needs them."""
