"""Sessions: performances whose clients are connected over sockets."""
