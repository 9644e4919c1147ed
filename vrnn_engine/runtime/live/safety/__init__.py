"""What keeps a performance from harm: the folders that its events may use, and a watch on its level."""
