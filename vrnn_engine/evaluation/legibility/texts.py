"""The texts that a voice writes to measure its legibility: names, addresses, dates, sums, capitals, a page and more."""

import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.batches import Floats
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.errors import DataError


def texts_to_write() -> dict[str, list[str]]:
    """Return 200 texts by kind, in the alphabet of the recipe `handwriting`; a text with line ends is a page."""
    return tomllib.loads((files(__package__) / "texts.toml").read_text(encoding="utf-8"))


def read_texts(path: Path) -> dict[str, list[str]]:
    """Read texts from a file, one a line; empty lines are left out.

    Parameters
    ----------
    path : Path
        A text file in UTF-8.

    Returns
    -------
    dict
        The texts, as the only kind `text`.

    Raises
    ------
    DataError
        The file cannot be read, or has no texts.
    """
    try:
        lines = [line.strip() for line in read_text_bytes(path).decode("utf-8").splitlines()]
    except OSError as error:
        raise read_error(path, error, DataError) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: its texts are not in UTF-8; save it in UTF-8, one text a line") from None
    if not any(lines):
        raise DataError(f"{path}: has no text; give one text a line")
    return {"text": [line for line in lines if line]}


@dataclass(frozen=True)
class Request:
    """A text that a voice shall write."""

    text: str
    kind: str
    """Kind of the text, such as `dates`, or the corpus that it is from."""
    name: str
    """Name of the text; it is the same for all seeds."""
    seed: int

    def written(self, ink: Floats) -> TextLine:
        """Return the ink of this text as a line; the texts, not the seeds, are independent of each other.

        Parameters
        ----------
        ink : array [n, 3]
            dx, dy, pen-up.
        """
        return TextLine(f"{self.name}, seed {self.seed}", ink, self.text, self.name, "")


def requests(kinds: Mapping[str, Sequence[str]], seeds: Sequence[int], alphabet: Set[str]) -> list[Request]:
    """Return every text with every seed, without the texts that have characters outside the alphabet.

    Parameters
    ----------
    kinds : mapping of str to sequence of str
        Texts by kind.
    seeds : sequence of int
        Seeds of the streams.
    alphabet : set of str
        Characters that can be written and recognised; a line end always can.
    """
    return [
        Request(text, kind, f"{kind} {place}", seed)
        for kind, texts in kinds.items()
        for place, text in enumerate(texts, 1)
        if set(text) - {"\n"} <= alphabet
        for seed in seeds
    ]


def same_texts(lines: Sequence[TextLine], kind: str, seeds: Sequence[int]) -> list[Request]:
    """Return the texts of real lines, each with one of the seeds in turn.

    Parameters
    ----------
    lines : sequence of TextLine
        Real lines.
    kind : str
        Name of their corpus.
    seeds : sequence of int
        Seeds of the streams.
    """
    return [Request(line.text, kind, line.id, seeds[place % len(seeds)]) for place, line in enumerate(lines)]
