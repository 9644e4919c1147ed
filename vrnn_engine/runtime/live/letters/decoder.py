"""Decodes the bytes of a text: UTF-8 with any line ends, in pieces of any size."""

import codecs
import io

from vrnn_engine.errors import StreamError

_BOM = "\ufeff"


class TextDecoder:
    r"""Decodes a text piece by piece; every line ends with ``\n``, and a byte order mark is skipped.

    Parameters
    ----------
    label : str
        Name of the text in messages.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
        self._read = 0  # bytes
        self._begun = False

    def decode(self, data: bytes) -> str:
        """Return the characters that the next bytes complete.

        Parameters
        ----------
        data : bytes
            The next bytes; none at the end of the text.

        Raises
        ------
        StreamError
            A byte is not valid UTF-8; the message gives its offset.
        """
        incomplete = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            offset = self._read - incomplete + error.start
            raise StreamError(
                f"{self._label}: byte {offset} (0x{error.object[error.start]:02X}) is not UTF-8; save the text as UTF-8"
            ) from None
        self._read += len(data)
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix(_BOM)
        return text
