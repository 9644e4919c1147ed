"""The user's folders, the environment variables that move them, and the names of files in them.

| folder           | variable               | if it is not set            |
|------------------|------------------------|-----------------------------|
| installed voices | `VRNN_ENGINE_VOICES`   | `voices` in the data folder |
| saved states     | `VRNN_ENGINE_MOMENTS`  | `moments` in the data folder|
| hands            | `VRNN_ENGINE_HANDS`    | `hands` in the data folder  |
| cache            | `VRNN_ENGINE_CACHE`    | the system's cache folder   |
| configuration    | `VRNN_ENGINE_CONFIG`   | the system's config folder  |

An empty variable counts as not set.  No function creates a folder.  platformdirs, which knows the system's folders, is
imported only if the variable is not set.
"""

import os
import re
from pathlib import Path

from vrnn_engine.errors import VRNNEngineError

_NAME = re.compile(r"\w(?:[\w .-]{0,62}[\w-])?")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
"""Names of Windows for devices, also with an ending."""
_APP = "vrnn-engine"


def voices_folder() -> Path:
    """Return the folder of installed voices; it has one sub-folder per voice."""
    return _chosen("VRNN_ENGINE_VOICES") or _data_folder() / "voices"


def saved_folder() -> Path:
    """Return the folder of saved states and latent trajectories; it has one sub-folder per voice."""
    return _chosen("VRNN_ENGINE_MOMENTS") or _data_folder() / "moments"


def hands_folder() -> Path:
    """Return the folder of saved hands; it has one sub-folder per voice."""
    return _chosen("VRNN_ENGINE_HANDS") or _data_folder() / "hands"


def config_folder() -> Path:
    """Return the folder of configuration files, e.g. `midi.json`."""
    if chosen := _chosen("VRNN_ENGINE_CONFIG"):
        return chosen
    from platformdirs import user_config_dir

    return Path(user_config_dir(_APP, appauthor=False))


def cache_folder(purpose: str) -> Path:
    """Return the cache folder of one purpose.

    Parameters
    ----------
    purpose : str
        Name of the sub-folder: `voices` (unpacked archives), `tried` (notes of the large voices that were tried),
        `corpora` (decoded recordings), `locks` or `matplotlib` (its list of fonts).
    """
    if chosen := _chosen("VRNN_ENGINE_CACHE"):
        return chosen / purpose
    from platformdirs import user_cache_dir

    return Path(user_cache_dir(_APP, appauthor=False)) / purpose


def is_name(name: str) -> bool:
    """Return whether a name can be the name of a file or folder on each system.

    Parameters
    ----------
    name : str
        The name, without an ending.
    """
    return _NAME.fullmatch(name) is not None and _DEVICE.fullmatch(name) is None


def name_fault(name: str, what: str) -> str | None:
    """Return a message if a name cannot be the name of a file or folder on some system.

    Parameters
    ----------
    name : str
        The name, without an ending.
    what : str
        The kind of thing that has this name, such as `hand`.

    Returns
    -------
    str or None
        The message, which lists the allowed names; None if the name is allowed.
    """
    if is_name(name):
        return None
    return (
        f"a {what} cannot be named {name!r}; use up to 64 letters, digits, spaces, dots, - and _, begin with a letter, "
        "a digit or _, do not end with a space or a dot, and do not use a name of a Windows device, such as CON"
    )


def check_name(name: str, what: str, error_class: type[VRNNEngineError]) -> None:
    """Raise an error if a name cannot be the name of a file on some system.

    Parameters
    ----------
    name : str
        The name, without an ending.
    what : str
        The kind of thing that has this name, such as `hand`, for the message.
    error_class : type
        Class of the error raised.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`.
    """
    fault = name_fault(name, what)
    if fault is not None:
        raise error_class(fault)


def _data_folder() -> Path:
    from platformdirs import user_data_dir

    return Path(user_data_dir(_APP, appauthor=False))


def _chosen(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return Path(chosen) if chosen else None
