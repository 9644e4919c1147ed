"""Opens a serial port, or raises an error that says why it cannot be opened."""

import errno
import os
from types import ModuleType
from typing import Any

from vrnn_engine.base.extras import missing_extra
from vrnn_engine.errors import SinkError

_READ_SECONDS = 0.05
_REASONS = {errno.ENOTTY: "it is not a serial port"}


def open_serial(port: str, label: str, baud: int, flow: str, timeout: float) -> Any:
    """Open a serial port for exclusive use.

    Parameters
    ----------
    port : str
        Name of the port, or a URL that pySerial accepts.
    label : str
        Name of the sink in messages.
    baud : int
        Speed in bits per second.
    flow : {'none', 'xonxoff', 'rtscts'}
        Flow control.
    timeout : float
        Timeout of a write in seconds.

    Returns
    -------
    serial.Serial
        The open port, whose reads wait for at most 0.05 s.

    Raises
    ------
    SinkError
        The port cannot be opened; the message says why, and which ports exist.
    MissingExtraError
        pySerial is not installed.
    """
    serial = _import_serial()
    try:
        return serial.serial_for_url(
            port,
            baudrate=baud,
            xonxoff=flow == "xonxoff",
            rtscts=flow == "rtscts",
            timeout=_READ_SECONDS,
            write_timeout=timeout,
            exclusive=True,
        )
    except (OSError, ValueError) as error:
        number = _error_number(error)
        reason = _REASONS.get(number) or os.strerror(number) if number else str(error)
        if number == errno.EACCES:
            raise SinkError(f"cannot open {label}: {reason}; on Linux, join the group that owns it") from error
        from serial.tools.list_ports import comports

        existing = ", ".join(port.device for port in comports()) or "none"
        raise SinkError(f"cannot open {label}: {reason} (serial ports here: {existing})") from error


def _error_number(error: Exception) -> int | None:
    """Return the errno of an error or of its cause, because pySerial drops the errno of a termios error."""
    for one in (error, error.__context__):
        if one is not None and one.args and isinstance(one.args[0], int):
            return one.args[0]
    return None


def _import_serial() -> ModuleType:
    try:
        import serial
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from error
    return serial
