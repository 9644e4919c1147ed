"""Controls: values are checked, writes are atomic, and reading returns what was written."""

import threading

import numpy as np
import pytest

from vrnn_engine import ControlError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.voice.manifest import Control


@pytest.fixture
def controls() -> Controls:
    def spec(name: str, size: int, default: float, low: float, high: float) -> Control:
        return Control(name=name, shape=(size,), default=default, minimum=low, maximum=high, description="")

    return Controls([spec("latent.temperature", 1, 1.0, 0.0, 2.0), spec("latent.shift", 3, 0.0, -5.0, 5.0)])


def test_control_of_one_number_reads_as_the_float_that_was_written(controls: Controls) -> None:
    controls["latent.temperature"] = 0.7
    assert controls["latent.temperature"] == 0.7
    assert isinstance(controls["latent.temperature"], float)
    np.testing.assert_array_equal(controls.table["latent.temperature"], np.array([[0.7]], np.float32))


def test_vector_takes_one_number_for_all_dimensions_or_one_for_each(controls: Controls) -> None:
    controls["latent.shift"] = 2
    np.testing.assert_array_equal(controls["latent.shift"], [2, 2, 2])
    controls["latent.shift"] = [1, 2, 3]
    np.testing.assert_array_equal(controls.table["latent.shift"], np.array([[1, 2, 3]]))


def test_values_are_copied_on_reading_and_writing(controls: Controls) -> None:
    given = np.ones(3)
    controls["latent.shift"] = given
    given[:] = 4
    read = controls["latent.shift"]
    assert isinstance(read, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 4
    np.testing.assert_array_equal(controls["latent.shift"], [1, 1, 1])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latent.temprature", 1, r"unknown control 'latent.temprature'; did you mean 'latent.temperature'"),
        ("latent.temperature", 2.5, r"'latent.temperature' = 2.5 is out of range \[0, 2\]"),
        ("latent.shift", [0, -6, 0], r"'latent.shift' = -6 is out of range \[-5, 5\]"),
        ("latent.shift", [0, 1], r"shape \[3\], not of shape \[2\]"),
        ("latent.shift", float("nan"), "cannot be NaN"),
        ("latent.temperature", float("inf"), "cannot be NaN or infinite"),
        ("latent.temperature", "loud", "takes numbers, not 'loud'"),
        ("latent.temperature", None, "takes numbers, not None"),
        ("latent.shift", [[1], [2, 3]], "takes numbers"),
    ],
)
def test_unfit_values_are_refused(controls: Controls, name: str, value: object, message: str) -> None:
    before = {name: np.copy(value) for name, value in controls.items()}
    with pytest.raises(ControlError, match=message) as caught:
        controls[name] = value
    assert "\n" not in str(caught.value)
    for name, was in before.items():
        np.testing.assert_array_equal(controls[name], was)


def test_reading_an_unknown_control_is_an_error(controls: Controls) -> None:
    with pytest.raises(ControlError, match="unknown control 'x'"):
        _ = controls["x"]
    assert "x" not in controls
    assert controls.get("x", 3) == 3


def test_assign_sets_one_dimension_alone(controls: Controls) -> None:
    controls["latent.shift"] = 0.5
    controls.assign("latent.shift/1", -1)
    np.testing.assert_array_equal(controls["latent.shift"], [0.5, -1, 0.5])
    controls.assign("latent.shift", 2)
    controls.assign("latent.temperature/0", 0.5)
    np.testing.assert_array_equal(controls["latent.shift"], [2, 2, 2])
    assert controls["latent.temperature"] == 0.5
    for text, value, message in (
        ("latent.shift/3", 1, "no dimension 3, only 0 to 2"),
        ("latent.shift/0", [1, 2, 3], "takes one number, not a list of 3"),
        ("latent.shift/0", 99, "out of range"),
        ("latent.shoft/0", 1, "unknown control 'latent.shoft/0'"),
        ("latent.shift/" + "9" * 9, 1, "no dimension 999999999, only 0 to 2"),
        ("latent.shift/" + "9" * 10, 1, "unknown control 'latent.shift/9999999999'"),
        ("latent.shift/" + "9" * 5000, 1, "unknown control 'latent.shift/9999"),
    ):
        with pytest.raises(ControlError, match=message):
            controls.assign(text, value)
    np.testing.assert_array_equal(controls["latent.shift"], [2, 2, 2])


def test_one_dimension_is_read_and_written_by_name_and_index(controls: Controls) -> None:
    controls["latent.shift/1"] = -1
    assert controls["latent.shift/1"] == controls.get("latent.shift/1") == -1
    controls.update({"latent.shift/0": 3, "latent.shift/2": 1.5, "latent.temperature/0": 0.5})
    np.testing.assert_array_equal(controls["latent.shift"], [3, -1, 1.5])
    assert controls["latent.temperature"] == 0.5
    del controls["latent.shift/0"]
    np.testing.assert_array_equal(controls["latent.shift"], [0, -1, 1.5])
    for path in ("latent.shift/3", "latent.shift/-1"):
        with pytest.raises(ControlError, match=rf"^control 'latent.shift' has no dimension {path[13:]}, only 0 to 2$"):
            controls[path] = 1
        assert controls.get(path) is None
    with pytest.raises(ControlError, match="unknown control 3"):
        controls[3] = 1  # type: ignore[index]


def test_update_is_all_or_nothing(controls: Controls) -> None:
    with pytest.raises(ControlError):
        controls.update({"latent.temperature": 0.5, "latent.shift": 99})
    assert controls["latent.temperature"] == 1.0
    controls.update({"latent.temperature": 0.5, "latent.shift": 1})
    assert controls["latent.temperature"] == 0.5


def test_del_reset_and_clear_restore_defaults(controls: Controls) -> None:
    for restore in (lambda: controls.__delitem__("latent.shift"), controls.reset, controls.clear):
        controls["latent.shift"] = 1
        restore()
        np.testing.assert_array_equal(controls["latent.shift"], [0, 0, 0])
    assert list(controls) == ["latent.temperature", "latent.shift"]
    assert len(controls) == 2


def test_threads_never_see_half_a_write(controls: Controls) -> None:
    """Both controls always hold the same number; a table with two different ones would be half a write."""
    done, torn = threading.Event(), []

    def look() -> None:
        while not done.is_set():
            table = controls.table
            if table["latent.shift"][0, 0] != table["latent.temperature"][0, 0]:
                torn.append(table)

    controls.update({"latent.temperature": 0, "latent.shift": 0})
    watcher = threading.Thread(target=look)
    watcher.start()
    for turn in range(2000):
        controls.update({"latent.temperature": turn % 3, "latent.shift": turn % 3})
    done.set()
    watcher.join()
    assert torn == []
