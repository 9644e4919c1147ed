"""Opens a corpus as a recipe or a checkpoint describes it."""

from pathlib import Path

from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.models.basis import build_basis
from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.recipe import Recipe


def open_corpus(recipe: Recipe, data: Path, strict: bool = False) -> PenCorpus | SpeechCorpus | TextCorpus:
    """Open the corpus at a path as a recipe describes it.

    Parameters
    ----------
    recipe : Recipe
        Its `data` says how to read and cut the corpus, and its `model` says how long a frame is.
    data : Path
        For a speech recipe, a folder of recordings or a single recording; for a pen recipe, an .npz or .jsonl file or
        a folder of IAM-OnDB.
    strict : bool
        Raise an error if a file of the corpus cannot be read, instead of leaving it out with a warning.

    Returns
    -------
    PenCorpus, TextCorpus or SpeechCorpus
        If the recipe's data are of the kind `pen`, a TextCorpus for a model that reads a text, and a PenCorpus for
        others; else a SpeechCorpus.

    Raises
    ------
    DataError
        The corpus is missing, unreadable, or too small for the recipe.
    """
    if isinstance(recipe.data, PenData):
        if recipe.model.text:
            return TextCorpus(data, recipe.model.text.alphabet, recipe.data, strict)
        return PenCorpus(data, recipe.data, strict)
    context = build_basis(recipe.model).context
    return SpeechCorpus(data, recipe.data, recipe.model.frame_size, context, strict, recipe.model.channels)


def open_checkpoint_corpus(
    checkpoint: Checkpoint, data: Path, strict: bool = False
) -> PenCorpus | SpeechCorpus | TextCorpus:
    """Open a corpus, and normalise it by the mean and sd of a checkpoint instead of its own.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its recipe says how to read the corpus.
    data, strict
        See `open_corpus`.

    Raises
    ------
    DataError
        As `open_corpus`.
    """
    corpus = open_corpus(checkpoint.recipe, data, strict)
    corpus.mean, corpus.std = checkpoint.mean, checkpoint.std
    return corpus
