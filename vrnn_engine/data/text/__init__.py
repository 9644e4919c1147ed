"""Lines of ink with their texts: transcripts, the geometry of lines, and the corpus."""
