"""Write a voice with random weights and the size of a recipe, to measure its speed without training.

    python benchmarks/random_voice.py RECIPE OUT [--precision int8]...

The voice passes all checks of an export.  Measure it with `vrnn-engine bench --voice OUT --rows 1 --seconds 600` or
`benchmarks/steps.py --voice OUT`.  `blizzard-paper` has the size of the paper's model; an export in all precisions
takes some minutes, 5 GiB of memory and 0.5 GiB of disk.  Needs the extra `train`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from vrnn_engine import Voice
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.exporters.export import step_model
from vrnn_engine.exporters.precision.quantise import BITS, ReducedPrecision
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.text_steps import TextSteps
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.models.families import build_model
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.voice.manifest import Provenance
from vrnn_engine.training.recipe import Recipe, load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", metavar="RECIPE")
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--precision", action="append", default=[], choices=BITS, help="besides fp32; repeatable")
    options = parser.parse_args()
    precisions = [one for one in BITS if one in options.precision]
    recipe = load_recipe(options.recipe)
    model = random_model(recipe)
    voice = write_random_voice(recipe, model, options.out, precisions)
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"voice {voice.name!r} of {weights / 1e6:.1f} M weights written to {voice.path}")


def random_model(recipe: Recipe) -> RecurrentModel:
    """Return a recipe's model with its random initial weights."""
    torch.manual_seed(0)
    return build_model(recipe.model).eval()


def normalised_steps(recipe: Recipe, model: RecurrentModel) -> RecurrentSteps | TextSteps:
    """Return the step model of a recipe's model, in normalised units."""
    axes = 2 if model.config.modality == "pen" else 1
    return step_model(recipe, model, (0.0,) * axes, (1.0,) * axes)


def write_random_voice(
    recipe: Recipe, model: RecurrentModel, folder: Path, precisions: Sequence[ReducedPrecision] = ()
) -> Voice:
    """Write an untrained model as a voice; raises `ExportError` as `write_voice` does."""
    provenance = Provenance(
        data="none: the weights are random, and only the speed of this voice means anything",
        source="benchmarks/random_voice.py",
        licence="none",
        command=f"python benchmarks/random_voice.py {recipe.name} OUT",
    )
    signals = [matrix for matrix in model.buffers() if matrix.dim() == 2]
    return write_voice(
        normalised_steps(recipe, model), f"random-{recipe.name}", folder, provenance, precisions, signals
    ).voice


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
