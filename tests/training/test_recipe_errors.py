"""Recipes with a wrong field: one line that names the field."""

from importlib import resources

import pytest

from vrnn_engine.errors import RecipeError
from vrnn_engine.training.recipe import load_recipe

NO_VOICES = ("x.", "CON", "a" * 65)
"""Names that a folder of checkpoints can have on some systems, but a voice cannot."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("updates = 3400", "updates = 0"), "updates"),
        (("latent_size = 64", "latent_sise = 64"), "latent_sise"),
        (("[model]", "[model"), "recipe"),
        (('basis = "samples"', 'basis = "points"'), "points"),
        (('kind = "speech"', 'kind = "pen"'), "kind|rate|lanes|rows"),
        (("kl_start = 0.2 ", "kl_start = -5 "), r">= 0.*training\.kl_start"),
        (("kl_start = 0.2 ", "kl_start = nan "), r"finite number, got nan .*training\.kl_start"),
        (("kl_start = 0.2 ", "kl_start = 1.5 "), r"<= 1.*training\.kl_start"),
        (("learning_rate = 1e-3", "learning_rate = inf"), r"finite number, got inf.*training\.learning_rate"),
        (("clip = 1.0", "clip = inf"), r"finite number, got inf.*training\.clip"),
        (('name = "blizzard"', 'name = ""'), "name '': letters, digits"),
        (('name = "blizzard"', 'name = "../../x"'), r"name '\.\./\.\./x': letters, digits"),
        (('name = "blizzard"', 'name = "x\\n"'), r"name 'x\\n': letters, digits"),
        *((('name = "blizzard"', f'name = "{name}"'), f"a voice cannot be named '{name}'") for name in NO_VOICES),
        (("resample = 0.5", "resample = 0.0"), "resample_from 2600 needs a resample above 0"),
        (("clip = 1.0", "clip = 1.0\naccumulate = 0"), r">= 1.*training\.accumulate"),
    ],
)
def test_wrong_field_of_a_recipe_raises_one_line(tmp_path, change, message):
    assert_refused(tmp_path, "blizzard", change, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [("10.0", "input_compression is for audio"), ("inf", r"finite number, got inf.*model\.input_compression")],
)
def test_input_compression_of_a_pen_is_refused(tmp_path, value, message):
    assert_refused(tmp_path, "handwriting", ("frame_size = 3", f"frame_size = 3\ninput_compression = {value}"), message)


def assert_refused(tmp_path, name, change, message):
    text = (resources.files("vrnn_engine.training") / "recipes" / f"{name}.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(str(path))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_recipe_suggests_similar_names():
    with pytest.raises(RecipeError, match="did you mean 'blizzard'"):
        load_recipe("blizard")
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe("missing.toml")
