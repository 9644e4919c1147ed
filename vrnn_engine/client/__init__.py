"""Plays voices that another process serves: sessions over a WebSocket, with the messages of `serve.protocol`."""
