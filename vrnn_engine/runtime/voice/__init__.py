"""Voices on disk: the manifest, loading and checking a voice, archives."""
