"""`training.json`: what a voice contains so that training can start from it.

The file has the recipe, the normalisation, and the place of each weight of the model in the weights file of the graphs.
The graphs have all weights, some of them transposed or side by side in one matrix; so a second copy is not needed.
Arrays that are nowhere in the graphs' weights are appended to the weights file.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn_engine.base.reading.decoding import decode_json, one_line
from vrnn_engine.base.reading.limits import MOST_TEXT, file_size, read_file
from vrnn_engine.errors import VoiceError
from vrnn_engine.exporters.graphs.weights_file import WEIGHTS_FILE
from vrnn_engine.runtime.voice.manifest import TRAINING_FILE, check_listed
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.recipe import recipe_fields, recipe_from

Matrix = NDArray[Any]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Sizes = Annotated[tuple[Size, ...], msgspec.Meta(max_length=8)]
Kind = Annotated[str, msgspec.Meta(pattern="^float(16|32)$")]


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an array is: all of a stored array or its transpose, or some columns of it."""

    shape: Sizes
    """Shape of the array."""
    kind: Kind
    """Type of the stored values, `float16` or `float32`."""
    offset: Size
    """Where the stored array begins, in bytes from the beginning of the weights file."""
    stored: Sizes
    """Shape of the stored array."""
    transposed: bool = False
    """Whether the array is in the transpose of the stored one."""
    column: Size = 0
    """First of the columns that are the array."""


class TrainingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `training.json`."""

    recipe: dict[str, Any]
    """The recipe that trained the model, as plain values."""
    mean: tuple[float, ...]
    """Mean of the training data, per channel."""
    std: tuple[float, ...]
    """Standard deviation of the training data, per channel."""
    weights: dict[str, Place]
    """Place of each parameter and buffer of the model, by its name in PyTorch."""


@dataclass(frozen=True)
class _Stored:
    """An array in the weights file."""

    offset: int
    values: Matrix


def load_start(where: str) -> Checkpoint:
    """Load the weights from which a training run is to start.

    Parameters
    ----------
    where : str
        Path of a checkpoint; or a voice's name, folder or .zip.

    Raises
    ------
    CheckpointError
        The checkpoint is missing or damaged.
    VoiceError
        There is no such voice, or it has no training file.
    """
    return load_checkpoint(Path(where)) if is_checkpoint(where) else read_training_file(Voice.open(where))


def is_checkpoint(where: str) -> bool:
    """Return whether a text is the path of a checkpoint, and not a voice's name, folder or .zip."""
    path = Path(where)
    return path.suffix == ".pt" or (path.is_file() and path.suffix.lower() != ".zip")


def write_training_file(folder: Path, trained: Checkpoint) -> None:
    """Write `training.json` beside graphs that were saved, and append arrays to their weights file that it lacks.

    Parameters
    ----------
    folder : Path
        Folder of the graphs.
    trained : Checkpoint
        The checkpoint, with the weights that were exported.
    """
    stored = list(_stored_arrays(folder))
    places: dict[str, Place] = {}
    with open(folder / WEIGHTS_FILE, "ab") as file:
        for name, weight in trained.model.items():
            values = weight.numpy()
            place = _find(values, stored)
            if place is None:
                place = Place(shape=values.shape, kind=str(values.dtype), offset=file.tell(), stored=values.shape)
                file.write(values.tobytes())
            places[name] = place
    content = TrainingFile(recipe=recipe_fields(trained.recipe), mean=trained.mean, std=trained.std, weights=places)
    (folder / TRAINING_FILE).write_bytes(msgspec.json.encode(content) + b"\n")


def read_training_file(voice: Voice) -> Checkpoint:
    """Read the recipe and the weights of a voice's model.

    Parameters
    ----------
    voice : Voice
        A voice that `vrnn_engine.exporters.export.export` wrote.

    Returns
    -------
    Checkpoint
        The exported weights: those of the checkpoint, or rounded to half precision if they were exported so.  It has no
        state to resume from.

    Raises
    ------
    VoiceError
        The voice has no training file, the file is not valid, or the weights have no checksum.
    """
    path = voice.path / TRAINING_FILE
    if TRAINING_FILE not in voice.manifest.files:
        raise VoiceError(
            f"voice {voice.name!r} has no {TRAINING_FILE}, from which training could start; export its checkpoint again"
        )
    check_listed(WEIGHTS_FILE, voice.manifest.files, str(path))  # without a checksum, it could be any file
    try:
        content = decode_json(read_file(path, MOST_TEXT), TrainingFile)
        recipe = recipe_from(content.recipe)
        weights = _read(voice.path / WEIGHTS_FILE, content.weights)
    except (OSError, ValueError, TypeError, LookupError, OverflowError, msgspec.MsgspecError) as error:
        raise VoiceError(f"{path}: cannot be read: {one_line(error)}; export the voice again") from None
    origin = voice.manifest.provenance
    metrics = dict(origin.metrics)
    return Checkpoint(recipe, weights, content.mean, content.std, metrics, "", resume={}, earlier=origin.command)


def _read(path: Path, places: Mapping[str, Place]) -> dict[str, Tensor]:
    """Return the arrays at places in a weights file, as new tensors of float32."""
    wanted = sum(math.prod(place.shape) for place in places.values())
    if wanted > file_size(path):
        raise ValueError(f"its weights have {wanted:,} values, which do not fit into {path.name}")
    data = np.fromfile(path, np.uint8)
    found = {}
    for name, place in places.items():
        count = math.prod(place.stored)
        values = np.frombuffer(data, place.kind, count, place.offset).reshape(place.stored)
        values = values.T if place.transposed else values
        if count != math.prod(place.shape):
            values = values[:, place.column : place.column + place.shape[1]]
        found[name] = torch.from_numpy(values.reshape(place.shape).astype(np.float32, order="C"))
    return found


def _stored_arrays(folder: Path) -> Iterator[_Stored]:
    """Yield the arrays of all graphs in the weights file, each once."""
    data = np.fromfile(folder / WEIGHTS_FILE, np.uint8)
    seen = set()
    for path in sorted(folder.glob("*.onnx")):
        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            key = (int(entries.get("offset", -1)), tuple(tensor.dims))
            if entries and kind in (np.float16, np.float32) and key not in seen:
                seen.add(key)
                values = np.frombuffer(data, kind, int(np.prod(key[1])), key[0])
                yield _Stored(key[0], values.reshape(key[1]))


def _find(values: Matrix, stored: list[_Stored]) -> Place | None:
    """Return where an array is; None if it is nowhere."""
    for one in stored:
        kind, shape = str(one.values.dtype), one.values.shape
        if values.size == one.values.size and np.array_equal(values.ravel(), one.values.ravel()):
            return Place(shape=values.shape, kind=kind, offset=one.offset, stored=values.shape)
        if values.ndim != 2 or one.values.ndim != 2:
            continue
        for transposed, matrix in ((False, one.values), (True, one.values.T)):
            if (column := _column(values, matrix)) is not None:
                return Place(
                    shape=values.shape,
                    kind=kind,
                    offset=one.offset,
                    stored=shape,
                    transposed=transposed,
                    column=column,
                )
    return None


def _column(values: Matrix, matrix: Matrix) -> int | None:
    """Return the first of the columns of a matrix that equal an array; None if there are none."""
    width = values.shape[1]
    if len(matrix) != len(values) or matrix.shape[1] < width:
        return None
    rows = np.lib.stride_tricks.sliding_window_view(matrix[0], width)
    for column in np.flatnonzero((rows == values[0]).all(-1)).tolist():
        if np.array_equal(matrix[:, column : column + width], values):
            return int(column)
    return None
