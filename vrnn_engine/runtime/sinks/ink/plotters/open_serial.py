"""Opens a serial port, or says why it cannot be opened."""

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
        Name of the port, or a URL as pySerial accepts it.
    label : str
        Name of the sink in messages.
    baud : int
        Speed in bits per second.
    flow : {'none', 'xonxoff', 'rtscts'}
        Flow control.
    timeout : float
        Seconds after which a write ends.

    Returns
    -------
    serial.Serial
        A read waits for 0.05 s at most.

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
    """Return the errno of an error; pySerial drops that of the termios error which caused it."""
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
