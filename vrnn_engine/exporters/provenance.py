"""The provenance of a voice: its data, its metrics and the commands that train its checkpoint again."""

from vrnn_engine.runtime.voice.manifest import Provenance
from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.command import training_command


def provenance_of(checkpoint: Checkpoint) -> Provenance:
    """Return the provenance of a checkpoint, as the manifest records it."""
    about = checkpoint.recipe.about
    return Provenance(
        data=about.data,
        source=about.source,
        licence=about.licence,
        command=training_command(checkpoint),
        metrics=checkpoint.metrics,
    )
