"""The command line: one small module per verb; it says nothing that the library cannot do."""
