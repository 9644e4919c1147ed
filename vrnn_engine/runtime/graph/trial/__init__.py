"""Loads the graphs of an untrusted voice in a process that can be ended, before this process loads them."""
