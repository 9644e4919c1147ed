"""The file of a recogniser: weights, the lines that its training held out, and what it needs to train further."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vrnn_engine.errors import CheckpointError
from vrnn_engine.evaluation.legibility.recogniser import Recogniser
from vrnn_engine.models.torch_file import load_fields, save_fields

KIND = "recogniser"
VERSION = 1


@dataclass(frozen=True)
class TrainedRecogniser:
    """A recogniser, and the lines with which it may be tested."""

    model: Recogniser
    """In evaluation mode."""
    held_out: frozenset[str]
    """Ids of the lines that were held out from its training."""
    resume: dict[str, Any] = field(default_factory=dict)
    """The state that its training needs to continue; see `vrnn_engine.evaluation.legibility.training`."""


def save_recogniser(trained: TrainedRecogniser, path: Path) -> None:
    """Write a recogniser and replace an earlier one; if this fails, the earlier one is unchanged.

    Parameters
    ----------
    trained : TrainedRecogniser
        The recogniser to write.
    path : Path
        The file; its folder must exist.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    model = trained.model
    fields = {
        "version": VERSION,
        "alphabet": model.alphabet,
        "channels": model.channels,
        "units": model.units,
        "model": model.state_dict(),
        "held_out": sorted(trained.held_out),
        "resume": trained.resume,
    }
    save_fields(KIND, fields, path)


def load_recogniser(path: Path) -> TrainedRecogniser:
    """Load a recogniser.  Nothing in the file is executed.

    Parameters
    ----------
    path : Path
        A file that `save_recogniser` wrote.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, or not a recogniser of this version of the package.
    """
    fields = load_fields(KIND, path, "train one, as the section Legibility of docs/text.md says")
    try:
        if fields["version"] != VERSION:
            raise ValueError
        model = Recogniser(fields["alphabet"], fields["channels"], fields["units"])
        model.load_state_dict(fields["model"])
        return TrainedRecogniser(model.eval(), frozenset(fields["held_out"]), fields["resume"])
    except Exception:  # noqa: BLE001 - torch raises many kinds of errors for weights that do not fit
        raise CheckpointError(f"{path}: not a recogniser of this version; train one again") from None
