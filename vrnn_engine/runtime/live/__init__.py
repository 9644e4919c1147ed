"""Playing live: events that steer a stream while it plays, their timelines, saved states, and listening to an input."""
