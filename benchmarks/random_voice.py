"""A voice of a recipe's size with random weights: what its speed needs, and nothing else of training.

    python benchmarks/random_voice.py RECIPE OUT [--precision int8]...

It passes all that an export checks.  `vrnn-engine bench --voice OUT --rows 1 --seconds 600` measures it, and so does
`benchmarks/steps.py --voice OUT`.  `blizzard-paper` has the size of the paper's model; writing it in all
precisions takes some minutes, 5 GiB of memory and 0.5 GiB of disk.  Needs the extra `train`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from vrnn_engine import Voice
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.exporters import export
from vrnn_engine.exporters.quantise import BITS, Few
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models.families import build_model
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.voice.manifest import Provenance
from vrnn_engine.training.recipe import Recipe, load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", metavar="RECIPE")
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--precision", action="append", default=[], choices=BITS, help="beside fp32")
    options = parser.parse_args()
    precisions = [one for one in BITS if one in options.precision]
    recipe = load_recipe(options.recipe)
    model = random_model(recipe)
    voice = write_random_voice(recipe, model, options.out, precisions)
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"voice {voice.name!r} of {weights / 1e6:.1f} M weights written to {voice.path}")


def random_model(recipe: Recipe) -> RecurrentModel:
    """Build a recipe's model with the weights that training begins with."""
    torch.manual_seed(0)
    return build_model(recipe.model).eval()


def steps_of(recipe: Recipe, model: RecurrentModel) -> RecurrentSteps:
    """Return a recipe's model as a step model, in the units it was trained in."""
    axes = 2 if model.config.modality == "pen" else 1
    return export.steps_of(recipe, model, (0.0,) * axes, (1.0,) * axes)


def write_random_voice(recipe: Recipe, model: RecurrentModel, folder: Path, precisions: Sequence[Few] = ()) -> Voice:
    """Write a model that was never trained as a voice; raise `ExportError` as `write_voice` does."""
    provenance = Provenance(
        data="none: its weights are random, and it is good for nothing but measuring how fast it is",
        source="benchmarks/random_voice.py",
        licence="none",
        command=f"python benchmarks/random_voice.py {recipe.name} OUT",
    )
    signals = [matrix for matrix in model.buffers() if matrix.dim() == 2]
    return export.write_voice(
        steps_of(recipe, model), f"random-{recipe.name}", folder, provenance, precisions, signals
    ).voice


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
