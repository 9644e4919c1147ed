"""Sets the handshake of a serial HPGL plotter by HP's escape sequences, and interprets the errors that it reports.

After switching on, an HP plotter lowers its DTR line while its buffer is full, and sends no Xoff until it is configured
to.  So if the cable does not carry DTR, data that do not fit the buffer are lost.
"""

import re

from vrnn_engine.runtime.sinks.ink.plotters.profiles import Profile

ASK_ERROR = b"\x1b.E"
"""Requests the number of the last error of the connection, and clears that error."""
ABORT = b"\x1b.K"
"""Makes the plotter discard the contents of its buffer."""

_XON, _XOFF = 17, 19
_ERRORS = {
    15: "the plotter lost data because of transmission errors; match baud, parity and stop bits to its switches",
    16: "the plotter lost data because its buffer overflowed; set the option flow to one that the cable carries",
}


def handshake(flow: str, profile: Profile) -> bytes:
    """Return the escape sequences that configure the plotter's handshake.

    Parameters
    ----------
    flow : {'none', 'xonxoff', 'rtscts'}
        The flow control of the port.  For `none`, the result is empty.
    profile : Profile
        The plotter.
    """
    if flow == "xonxoff":
        # ESC.@ keeps DTR high; ESC.I sets the free bytes at which Xoff is sent, and Xon; ESC.N sets Xoff.
        return f"\x1b.@;0:\x1b.I{profile.xoff_at};;{_XON}:\x1b.N;{_XOFF}:".encode()
    if flow == "rtscts":
        # ESC.@ makes DTR follow the buffer; ESC.I sets the free bytes at which it falls, without Xon.
        return f"\x1b.@;1:\x1b.I{profile.xoff_at};;:\x1b.N:".encode()
    return b""


def describe_error(answer: str) -> str | None:
    """Return the meaning of the plotter's answer to `ASK_ERROR`; None if it reports no loss of data.

    Parameters
    ----------
    answer : str
        A number.
    """
    number = re.search(r"\d{1,9}", answer)  # a network passes Xon and Xoff on, which a serial port takes out
    return None if number is None else _ERRORS.get(int(number[0]))
