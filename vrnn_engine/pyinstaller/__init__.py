"""Tells PyInstaller what a program that embeds the engine needs, by the entry point `pyinstaller40`."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Return the folders with hooks of PyInstaller."""
    return [str(Path(__file__).parent)]
