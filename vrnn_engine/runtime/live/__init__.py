"""Playing a stream while it sounds: what is asked of it, when, by whom, and how to have it again."""
