"""The families of models, by name.  Each module of this folder lists its families in `FAMILIES`."""

import functools
import importlib
import pkgutil

from vrnn_engine.base.suggest import suggest
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.recurrent import RecurrentModel

OPTIONAL = ("latent_size", "phi_z", "encoder", "prior", "text")
"""Fields of `ModelConfig` that only some families use."""


@functools.cache
def families() -> dict[str, type[RecurrentModel]]:
    """Return all families by name; `NAME-gauss` has one Gaussian as output, `NAME-gmm` a mixture of Gaussians."""
    found: dict[str, type[RecurrentModel]] = {}
    for module in pkgutil.iter_modules(__path__):
        for name, model in importlib.import_module(f"{__name__}.{module.name}").FAMILIES.items():
            found |= {f"{name}-gauss": model, f"{name}-gmm": model}
    return found


def check(config: ModelConfig) -> type[RecurrentModel]:
    """Return the family of a configuration.

    Raises
    ------
    ValueError
        There is no such family, or the configuration lacks a field that the family uses, or sets one that it does not
        use.
    """
    known = families()
    if config.family not in known:
        raise ValueError(f"unknown family {config.family!r}{suggest(config.family, known, 'families')}")
    model = known[config.family]
    for field in OPTIONAL:
        given = bool(getattr(config, field))
        if given and field not in model.uses:
            raise ValueError(f"family {config.family!r} does not use {field}; remove it")
        if not given and field in model.uses:
            raise ValueError(f"family {config.family!r} needs {field}")
    return model


def build_model(config: ModelConfig) -> RecurrentModel:
    """Return a model with initial weights, drawn from torch's default generator.

    Parameters
    ----------
    config : ModelConfig
        Family, sizes and options.

    Raises
    ------
    ValueError
        The configuration does not fit its family; see `check`.
    """
    return check(config)(config)
