"""Voices on disk: the manifest, lookup by name, loading with checks, archives, installation."""
