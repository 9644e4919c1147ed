"""Checks of named arrays."""

import numpy as np
import pytest

from vrnn_engine.runtime.graph.arrays import name_not_finite


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_first_array_with_a_number_that_is_not_finite_is_named(wrong: float) -> None:
    fine, spoiled = np.ones((2, 3), np.float32), np.full(1, wrong, np.float32)
    assert name_not_finite([("a", fine), ("b", fine[:, 0])]) is None
    assert name_not_finite([("a", fine), ("b", spoiled), ("c", spoiled)]) == "b"


def test_arrays_of_one_name_are_all_checked() -> None:
    fine, spoiled = np.ones(2, np.float32), np.full(1, np.nan, np.float32)
    assert name_not_finite([("latent", spoiled), ("latent", fine)]) == "latent"
