"""The page that a browser shows: its files, what it may do, and what it may ask of the server."""
