"""The page for everyone: names for those who listen, contrast, narrow screens, few bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.browser import Browser, serve_folder
from support.shown_page import ShownPage, listening

from vrnn_engine import Voice
from vrnn_engine.serve.web.page_files import page_files
from vrnn_engine.serve.web.site import write_site

VOICES = ["handwriting", "blizzard"]
CONTRAST = (Path(__file__).parents[1] / "support" / "contrast.js").read_text()
USED = {"button", "slider", "textbox", "combobox", "link", "DisclosureTriangle", "spinbutton", "checkbox"}
"""Roles of what a user operates, as Chromium names them."""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownPage]:
    out = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open(name) for name in VOICES], out)
    with serve_folder(out) as url, listening(browser, url, out) as shown:
        yield shown


def accessible(browser: Browser) -> list[tuple[str, str]]:
    """Return role and name of each element that a user can operate."""
    nodes: list[dict[str, Any]] = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    pairs = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    return [(role, name.strip()) for role, name in pairs if role in USED]


@pytest.mark.parametrize("voice", VOICES)
def test_everything_that_can_be_operated_has_a_name(page: ShownPage, voice: str) -> None:
    page.open(f"#voice={voice}")
    page.browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = accessible(page.browser)
    assert len(found) > 30
    assert [role for role, name in found if not name] == []
    names = " | ".join(name for _, name in found)
    manifest = msgspec.json.decode((Voice.open(voice).path / "voice.json").read_bytes())
    for control in manifest["controls"]:
        assert control["name"].replace(".", " ") in names


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("voice", VOICES)
def test_texts_have_enough_contrast(page: ShownPage, voice: str, colours: str) -> None:
    page.open(f"#voice={voice}", colours=colours)
    page.browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    body = page.browser.run("return getComputedStyle(document.body).backgroundColor")
    assert body == {"light": "rgb(243, 239, 230)", "dark": "rgb(16, 19, 28)"}[colours]
    found = page.browser.run(CONTRAST)
    assert found["count"] > 30
    assert found["poor"] == []


@pytest.mark.parametrize(("voice", "width"), [("handwriting", 320), ("blizzard", 360)])
def test_a_narrow_phone_needs_no_horizontal_scrolling(page: ShownPage, voice: str, width: int) -> None:
    page.open(f"#voice={voice}&seed=18446744073709551615&text=" + 80 * "w", width, 740, touch=True)
    page.browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.browser.run("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_the_switch_of_colours_is_remembered(page: ShownPage) -> None:
    page.open()
    page.find("#theme").click()
    assert page.find("#theme").get_attribute("aria-label") == "Colours: light"
    page.find("#theme").click()
    page.open()
    assert page.find("#theme").get_attribute("aria-label") == "Colours: dark"
    assert page.browser.run("return document.documentElement.dataset.theme") == "dark"
    page.find("#theme").click()
    assert page.browser.run("return document.documentElement.dataset.theme ?? null") is None


def test_the_page_and_its_player_are_small() -> None:
    ours = {name: path.stat().st_size for name, path in page_files().items() if not name.startswith("player/")}
    assert sum(ours.values()) < 150_000
    assert max(len(page_files()[name].read_text().splitlines()) for name in ours if name.endswith(".js")) <= 250
