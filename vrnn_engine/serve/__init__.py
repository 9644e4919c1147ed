"""Serves voices over HTTP and WebSocket: one engine for many listeners."""
