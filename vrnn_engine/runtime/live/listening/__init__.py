"""What a stream does with an input that it listens to."""
