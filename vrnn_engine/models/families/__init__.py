"""The families of models, by name.  A module of this folder adds its own: it names them in `FAMILIES`."""

import difflib
import functools
import importlib
import pkgutil

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.recurrent import RecurrentModel

OPTIONAL = ("latent_size", "phi_z", "encoder", "prior")
"""What of a config belongs to some families only."""


@functools.cache
def families() -> dict[str, type[RecurrentModel]]:
    """Return every family: `NAME-gauss` with one Gaussian as output, `NAME-gmm` with a mixture."""
    found: dict[str, type[RecurrentModel]] = {}
    for module in pkgutil.iter_modules(__path__):
        for name, model in importlib.import_module(f"{__name__}.{module.name}").FAMILIES.items():
            found |= {f"{name}-gauss": model, f"{name}-gmm": model}
    return found


def check(config: ModelConfig) -> type[RecurrentModel]:
    """Return the family of a config; raise `ValueError` where it does not exist or does not fit."""
    known = families()
    if config.family not in known:
        near = difflib.get_close_matches(config.family, known, n=3)
        raise ValueError(f"no family {config.family!r}; there are {', '.join(near or sorted(known))}")
    model = known[config.family]
    for field in OPTIONAL:
        given = bool(getattr(config, field))
        if given and field not in model.uses:
            raise ValueError(f"family {config.family!r} has no {field}; leave it out")
        if not given and field in model.uses:
            raise ValueError(f"family {config.family!r} needs {field}")
    return model


def build_model(config: ModelConfig) -> RecurrentModel:
    """Return a freshly initialised model; raise `ValueError` as `check` does."""
    return check(config)(config)
