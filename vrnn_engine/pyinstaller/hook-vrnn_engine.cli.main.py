"""PyInstaller's hook of the command line: its commands are imported by name."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("vrnn_engine.cli")
