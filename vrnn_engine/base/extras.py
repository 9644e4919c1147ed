"""The optional extras of this package: what each installs, and what it is for.

pyproject.toml lists the same distributions with their versions; a test compares the two.
"""

from dataclasses import dataclass

from vrnn_engine.errors import MissingExtraError


@dataclass(frozen=True)
class Extra:
    """One extra.

    Attributes
    ----------
    purpose : str
        Purpose of the extra: a verb phrase that follows "if you want to".
    modules : dict of str to str
        Distribution (what pip installs) -> module (what Python imports).
    """

    purpose: str
    modules: dict[str, str]


EXTRAS = {
    "train": Extra("train", {name: name for name in ("torch", "onnx", "onnxscript", "scipy", "filelock")}),
    "plot": Extra("draw pictures", {"matplotlib": "matplotlib"}),
    "ink": Extra("convert SVG to ink", {"svgelements": "svgelements"}),
    "live": Extra(
        "steer by OSC or MIDI, or draw on a plotter",
        {"python-osc": "pythonosc", "mido": "mido", "python-rtmidi": "rtmidi", "pyserial": "serial"},
    ),
    "serve": Extra(
        "serve voices to browsers and applications",
        {"fastapi": "fastapi", "uvicorn": "uvicorn", "prometheus-client": "prometheus_client"},
    ),
    "client": Extra("play the voice of a server", {"websockets": "websockets"}),
    "cluster": Extra("serve from several machines", {"ray": "ray"}),
}
"""Each extra by name.  `cuda` is not here: it adds libraries for onnxruntime, and no Python module."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra beside this package: `pip` may be that of another Python.

    Parameters
    ----------
    extra : str
        Name of the extra.

    Examples
    --------
    >>> install_command("plot")  # doctest: +SKIP
    "pip install 'vrnn-engine[plot]'"
    """
    import os  # here, as these are needed after an error alone
    import shlex
    import shutil
    import sys
    from importlib.machinery import PathFinder  # not importlib.util: for pip, setuptools then changes `distutils`

    pip, python = shutil.which("pip"), shlex.quote(sys.executable)
    what = f"install 'vrnn-engine[{extra}]'"
    if PathFinder.find_spec("pip") is None and shutil.which("uv"):  # an environment that uv has made
        return f"uv pip {what} --python {python}"
    if not sys.executable or (pip and os.path.dirname(pip) == os.path.dirname(sys.executable)):
        return f"pip {what}"
    return f"{python} -m pip {what}"


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Return the error that names the extra to install, or None if no extra installs the missing module.

    Parameters
    ----------
    error : ModuleNotFoundError
        The exception that the import raised.
    """
    module = (error.name or "").partition(".")[0]
    for name, extra in EXTRAS.items():
        for distribution, imported in extra.modules.items():
            if module == imported:
                return MissingExtraError(f"this needs {distribution}, which is not installed: {install_command(name)}")
    return None
