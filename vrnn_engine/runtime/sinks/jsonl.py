"""FILE.jsonl: JSON lines, one for each pen point or frame of sound."""

import json

import numpy as np

from vrnn_engine.runtime.sinks.base import FileSink, Format


class JsonLinesEncoder:
    """Encodes blocks as JSON lines with their time in the stream.

    A pen point is `{"t": seconds, "dx": ..., "dy": ..., "pen_up": 0 or 1}` in the voice's unit; a frame of sound is
    `{"t": seconds, "samples": [...]}`, full scale +-1; a sample of stereo is a pair.

    Parameters
    ----------
    format : Format
        Format of the blocks.
    """

    def __init__(self, format: Format) -> None:
        self._format = format
        self._position = 0

    def encode(self, block: np.ndarray) -> bytes:
        """Return the lines of the next block.

        Parameters
        ----------
        block : ndarray, float32, shape [samples], [samples, 2] or [points, 3]

        Returns
        -------
        bytes
            Lines in UTF-8, each with a newline.
        """
        lines = []
        step = self._format.samples_per_frame
        for start in range(0, len(block), step):
            line: dict[str, object] = {"t": round((self._position + start) / self._format.rate, 6)}
            if self._format.modality == "pen":
                dx, dy, pen_up = (float(value) for value in block[start])
                line |= {"dx": _short(dx), "dy": _short(dy), "pen_up": int(pen_up > 0.5)}
            else:
                part = block[start : start + step]
                values = [_short(float(value)) for value in part.flat]
                line["samples"] = values if part.ndim == 1 else np.reshape(values, part.shape).tolist()
            lines.append(json.dumps(line, separators=(",", ":")) + "\n")
        self._position += len(block)
        return "".join(lines).encode()


class JsonLinesSink(FileSink):
    """Writes a .jsonl file; see `JsonLinesEncoder` for the lines."""

    def open(self, format: Format) -> None:
        """Create the file under a temporary name; raise `SinkError` if that fails."""
        self._encoder = JsonLinesEncoder(format)
        self.file.check()

    def write(self, block: np.ndarray) -> None:
        """Append the lines of a block."""
        self.file.append(self._encoder.encode(block))


def _short(value: float) -> float:
    # A float32 needs nine significant digits; further digits of its float64 carry no information.
    return float(f"{value:.9g}")
