"""Which wheel of onnxruntime is installed, and which one to reinstall if it does not load.

Several distributions unpack into the same folder, `onnxruntime`. Removing one of two leaves a folder without the files
that both had.
"""

import importlib.metadata
import platform
import sys

from vrnn_engine.errors import ProviderError

WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
"""Distributions that install into the folder `onnxruntime`."""


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None if it is not installed.

    Parameters
    ----------
    name : str
        Name of the distribution, as pip knows it.
    """
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_wheels() -> list[str]:
    """Return the wheels of onnxruntime that are installed; there should be exactly one."""
    return [name for name in WHEELS if installed_version(name)]


def how_to_repair() -> str:
    """Return the command that leaves exactly one wheel of onnxruntime, whole: `pip ...`.

    It names the wheel that is installed; if there are several or none, the one that this package depends on here.
    """
    wheels = installed_wheels()
    if len(wheels) == 1:
        return f"pip install --force-reinstall --no-deps {wheels[0]}"
    here = (sys.platform, platform.machine())
    wanted = "onnxruntime-gpu" if here in (("linux", "x86_64"), ("win32", "AMD64")) else "onnxruntime"
    removal = f"pip uninstall -y {' '.join(wheels)}, then " if wheels else ""
    return f"{removal}pip install {wanted}"


def import_error(error: Exception) -> ProviderError:
    """Return the error that says that onnxruntime does not load, why, and what to do.

    Parameters
    ----------
    error : Exception
        What its import raised.
    """
    wheels = installed_wheels()
    if not wheels and isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
        return ProviderError(f"onnxruntime is not installed; run: {how_to_repair()}")
    reason = " ".join(str(error).split()) or type(error).__name__
    named = f" ({' and '.join(wheels)})" if wheels else ""
    return ProviderError(f"onnxruntime{named} is damaged: {reason}; run: {how_to_repair()}")
