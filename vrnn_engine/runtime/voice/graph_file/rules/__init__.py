"""What is known of each operator: its attributes, shapes, work, types of results, and whether it mixes rows."""
