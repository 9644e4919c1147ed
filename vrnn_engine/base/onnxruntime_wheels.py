"""Finds the installed wheel of onnxruntime, and the command that repairs it if onnxruntime does not load.

Several distributions unpack into the same folder, `onnxruntime`. If two are installed, removing one of them deletes the
files that both contain.
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
    """Return the `pip` command that leaves exactly one intact wheel of onnxruntime.

    The command reinstalls the installed wheel. If several or none are installed, it installs the wheel that this
    package depends on for this platform.
    """
    wheels = installed_wheels()
    if len(wheels) == 1:
        return f"pip install --force-reinstall --no-deps {wheels[0]}"
    here = (sys.platform, platform.machine())
    wanted = "onnxruntime-gpu" if here in (("linux", "x86_64"), ("win32", "AMD64")) else "onnxruntime"
    removal = f"pip uninstall -y {' '.join(wheels)}, then " if wheels else ""
    return f"{removal}pip install {wanted}"


def import_error(error: Exception) -> ProviderError:
    """Return an error that says why onnxruntime does not load, and how to repair it.

    Parameters
    ----------
    error : Exception
        The exception that the import raised.
    """
    wheels = installed_wheels()
    if not wheels and isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
        return ProviderError(f"onnxruntime is not installed; run: {how_to_repair()}")
    reason = " ".join(str(error).split()) or type(error).__name__
    named = f" ({' and '.join(wheels)})" if wheels else ""
    return ProviderError(f"onnxruntime{named} is damaged: {reason}; run: {how_to_repair()}")
