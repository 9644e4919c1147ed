"""The page as its user finds it: keys, sliders, pad, text, files, links."""

import re
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from support.browser import Browser, serve_folder
from support.shown_page import ShownPage, listening

from vrnn_engine import Voice
from vrnn_engine.serve.web.site import write_site

PLAYABLE = "document.getElementById('play').getAttribute('aria-label') === 'Play'"
SETTLE = "await new Promise(resolve => setTimeout(resolve, 600))"
"""Lets the pen draw what was computed."""
WRITES = "/^[1-4] char/.test(document.getElementById('text-count').textContent)"
SLOW_RESTART = """
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        setTimeout(() => post.call(this, message, ...rest), message.name === 'restart' ? 400 : 0);
    };
"""
"""Lets frames of the old page come after a new one was asked for."""
PEN, SOUND = "#voice=handwriting", "#voice=blizzard"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the page of the two bundled voices, from a server of plain files."""
    out = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open("handwriting"), Voice.open("blizzard")], out)
    with serve_folder(out) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str, tmp_path: Path) -> Iterator[ShownPage]:
    with listening(browser, url, tmp_path) as shown:
        yield shown
        assert browser.errors() == []
        assert browser.elsewhere == []


def strokes(page: ShownPage) -> list[str]:
    page.find("#save-svg").click()
    file = page.download(".svg")
    text = file.read_text()
    file.unlink()  # else a later call would find this file
    return re.findall(r'<path d="(M[-\d.]+ [-\d.]+L[-\d. ]+)"/>', text)


def test_space_plays_and_pauses(page: ShownPage) -> None:
    page.open(SOUND)
    assert not page.is_playing()
    page.press(" ")
    page.browser.wait_until("document.getElementById('play').getAttribute('aria-label') === 'Pause'")
    assert page.find("#play").get_attribute("aria-label") == "Pause"
    page.press(" ")
    page.browser.wait_until("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert page.asked("play") == [True, False]


def test_a_slider_sets_the_control_and_a_button_its_default(page: ShownPage) -> None:
    page.open(SOUND)
    controls = Voice.open("blizzard").manifest.controls
    default = next(control.default for control in controls if control.name == "output.temperature")
    slider = page.find("#control-output-temperature")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    value = float(slider.get_attribute("value"))
    assert default < value < default + 0.04
    page.browser.wait_until(f"asked.some(one => one.name === 'set' && Math.abs(one.argument.value - {value}) < 1e-6)")
    assert page.asked("set")[-1]["name"] == "output.temperature"
    page.find('[aria-label="Set output temperature to its default"]').click()
    last = "asked.filter(one => one.name === 'set').at(-1).argument.value"
    page.browser.wait_until(f"Math.abs({last} - {default}) < 1e-6")


def test_arrow_keys_move_the_pad_and_escape_lets_go(page: ShownPage) -> None:
    page.open(SOUND)
    page.find(".pad").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP)
    page.browser.wait_until("document.querySelector('.pad').getAttribute('aria-valuetext').includes('0.60')")
    assert page.find(".pad").get_attribute("aria-valuetext") == "latent 0 0.30, latent 1 0.60"
    page.browser.wait_until("asked.some(one => one.argument?.name === 'latent.target' && one.argument.value[1] > 0.59)")
    held = next(one["value"] for one in page.asked("set") if one["name"] == "latent.hold")
    assert held[:3] == pytest.approx([0.9, 0.9, 0.0])
    page.press(Keys.ESCAPE)
    page.browser.wait_until(
        "asked.filter(one => one.argument?.name === 'latent.hold').at(-1).argument.value.every(one => one === 0)"
    )


def test_arrow_keys_move_a_bar_and_hold_its_latent(page: ShownPage) -> None:
    page.open(SOUND)
    page.find("#latents .bar").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert page.find("#latents .held").get_attribute("aria-label") == "latent 1"
    held = next(one["value"] for one in page.wait_for("set", 2) if one["name"] == "latent.hold")
    assert held[:3] == [0, 1, 0]


@pytest.mark.parametrize(("voice", "has_kl"), [(PEN, False), (SOUND, True)], ids=["a hand", "sound"])
def test_the_bars_show_a_kl_where_the_prior_depends_on_what_was_played(
    page: ShownPage, voice: str, has_kl: bool
) -> None:
    page.open(voice)
    page.press(" ")
    page.browser.wait_until("document.querySelector('#latents .read-out').textContent.startsWith('Drag a bar')")
    page.find("#latents .bar").send_keys(Keys.ARROW_RIGHT)
    assert ("KL" in page.find("#latents .read-out").text) is has_kl
    assert ("KL of the prior" in page.find("#latents .help").text) is has_kl
    assert ("from N(0, 1)" in page.find("#latents .help").text) is not has_kl


def test_the_pen_writes_what_is_typed(page: ShownPage) -> None:
    page.open(PEN)
    page.find("#text").click()
    page.press("Oh ")
    begun = page.wait_for("restart")[0]
    assert begun["text"] == "Oh "
    assert begun["width"] > 50
    page.press("h")
    page.press("i there, dear friend caf\u00e9 ")  # long, so that the pen is not at its last word when that is erased
    assert page.find("#text").get_property("value") == "Oh hi there, dear friend cafe "
    assert page.notice() == "The pen has no \u00e9: it writes e instead."
    assert "".join(page.wait_for("write", 2)) == "hi there, dear friend cafe "
    page.press(*[Keys.BACKSPACE] * 5, Keys.ENTER)
    page.browser.wait_until("asked.some(one => one.argument === '\\n')")
    assert sum(page.asked("erase")) == 5
    page.browser.wait_until("document.getElementById('text-count').textContent === '26 characters written'")
    assert len(strokes(page)) >= 3


def test_what_is_on_the_paper_cannot_be_changed(page: ShownPage) -> None:
    page.open(PEN + "&text=a")
    page.press(" ")
    page.browser.wait_until("document.getElementById('text-count').textContent === '1 character written'")
    page.find("#text").click()
    page.press(Keys.END, Keys.BACKSPACE, " ")
    assert page.find("#text").get_property("value") == "a "
    assert "on the paper already" in page.notice()
    assert page.asked("erase") == []


def test_a_new_page_is_empty_and_another_text_replaces_a_letter(page: ShownPage) -> None:
    page.open(PEN + "&text=a")
    page.press(" ")
    page.browser.wait_until("document.getElementById('text-count').textContent === '1 character written'")
    page.find("#text").click()
    page.browser.run("document.getElementById('text').select()")
    page.press("Oh ")
    assert page.wait_for("restart", 2)[-1]["text"] == "Oh "
    assert page.find("#text").get_property("value") == "Oh "
    page.find('[aria-label="New page"]').click()
    page.wait_for("restart", 3)
    assert page.find("#text").get_property("value") == ""
    assert page.browser.run("return document.activeElement.id") == "text"
    page.find("#save-svg").click()
    assert page.notice() == "There is no ink yet. Press play first."
    page.find("#text").send_keys("hi ")
    assert page.wait_for("restart", 4)[-1]["text"] == "hi "


def test_a_finished_letter_is_played_again_on_a_clean_page(page: ShownPage) -> None:
    page.open(PEN + "&text=ab+ab")
    finished = "document.getElementById('text-count').textContent === '5 characters written'"
    page.press(" ")
    page.browser.wait_until(f"{finished} && {PLAYABLE}")
    page.browser.run(SETTLE)
    first = strokes(page)
    page.find("#play").click()
    page.browser.run(SLOW_RESTART)
    page.browser.wait_until(WRITES)
    page.browser.run("document.getElementById('seed').dispatchEvent(new Event('change'))")  # the same seed again
    page.browser.wait_until(f"asked.filter(one => one.name === 'restart').length === 3 && !({finished})")
    page.browser.wait_until(finished)
    page.browser.run(SETTLE)
    assert [one["text"] for one in page.asked("restart")] == ["ab ab"] * 3
    assert strokes(page) == first


def test_a_state_saved_within_a_line_continues_at_its_place(page: ShownPage) -> None:
    page.open(PEN + "&text=ab+ab+ab")
    finished = "document.getElementById('text-count').textContent === '8 characters written'"
    page.press(" ")
    page.browser.wait_until("/^[2-4] char/.test(document.getElementById('text-count').textContent)")
    page.find(".save-row button").click()
    page.browser.wait_until(finished)
    page.browser.run(SETTLE)
    first = strokes(page)
    page.find(".states .name").click()
    page.browser.wait_until(f"!({finished})")
    page.browser.wait_until(finished)
    page.browser.run(SETTLE)
    lefts = [[float(x) for x in re.findall(r"([-\d.]+) [-\d.]+", path)] for path in (first[-1], strokes(page)[-1])]
    assert lefts[1] == pytest.approx(lefts[0], abs=0.05)


def test_a_link_that_is_followed_while_the_pen_writes_waits_on_an_empty_page(page: ShownPage) -> None:
    page.open(PEN + "&text=one+two+three")
    page.press(" ")
    page.browser.wait_until("/^[3-9] char/.test(document.getElementById('text-count').textContent)")
    page.browser.run("location.hash = given[0]", PEN + "&seed=5&text=b")
    page.browser.wait_until("document.getElementById('seed').value === '5'")
    page.browser.run(SETTLE)
    assert not page.is_playing()
    page.find("#save-svg").click()
    assert page.notice() == "There is no ink yet. Press play first."
    page.find("#play").click()
    begun = page.wait_for("restart", 2)[-1]
    assert (begun["text"], begun["seed"]) == ("b", "5")


def test_a_voice_that_is_loaded_too_late_is_closed(page: ShownPage) -> None:
    page.open(SOUND)
    page.browser.run("""
        window.ended = 0;
        const end = Worker.prototype.terminate;
        Worker.prototype.terminate = function () { ended += 1; return end.call(this); };
        const choice = document.getElementById('voice');
        for (const index of [0, 1, 0]) {
            choice.selectedIndex = index;
            choice.dispatchEvent(new Event('change'));
        }
    """)
    page.browser.wait_until(f"ended === 3 && {PLAYABLE} && !document.getElementById('play').disabled")
    assert page.browser.run("return document.querySelectorAll('.pad').length") == 1
    assert page.browser.run("return [document.getElementById('voice').value]") == ["voices/handwriting/"]


def test_the_svg_has_the_strokes_of_the_pen(page: ShownPage) -> None:
    page.open(PEN + "&text=I+am+a+pen")
    page.press(" ")
    page.browser.wait_until("/^10 characters written$/.test(document.getElementById('text-count').textContent)")
    page.browser.run(SETTLE)
    paths = strokes(page)
    assert len(paths) >= 5
    points = np.array(
        [[float(x) for x in point.split()] for path in paths for point in re.findall(r"[-\d.]+ [-\d.]+", path)]
    )
    wide, high = np.ptp(points, axis=0)
    assert 15 < wide < 120
    assert 3 < high < 30


def test_a_recording_is_the_sound_that_was_played(page: ShownPage) -> None:
    page.open(SOUND)
    page.find("#record").click()
    page.press(Keys.TAB)  # the space bar would press the button again
    page.find("#play").click()
    page.browser.wait_until("/0:0[2-9]/.test(document.getElementById('record').textContent)")
    page.find("#record").click()
    with wave.open(str(page.download(".wav"))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(samples) >= 2 * 16000
    assert samples.std() > 50


def test_a_recording_that_runs_while_the_voice_changes_is_kept(page: ShownPage) -> None:
    page.open(f"{SOUND}&seed=5")
    page.find("#record").click()
    page.find("#play").click()
    page.browser.wait_until("/[1-9]/.test(document.querySelector('#record span').textContent)")
    page.browser.run("""
        const choice = document.getElementById('voice');
        choice.selectedIndex = 1 - choice.selectedIndex;
        choice.dispatchEvent(new Event('change'));
    """)
    with wave.open(str(page.download(".wav"))) as file:
        assert file.getnframes() >= file.getframerate()
    page.browser.wait_until("document.getElementById('text') && !document.getElementById('play').disabled")
    assert page.browser.run("return document.getElementById('record')") is None


def test_an_iphone_plays_although_its_switch_is_set_to_silent(page: ShownPage) -> None:
    source = "Object.defineProperty(navigator, 'audioSession', { value: { type: 'auto' } })"
    with page.browser.before_pages(source):
        page.open(PEN)
        assert page.browser.run("return navigator.audioSession.type") == "auto"  # a pen leaves other sounds alone
        page.open(SOUND)
        assert page.browser.run("return navigator.audioSession.type") == "playback"


def test_a_link_brings_back_seed_controls_and_text(page: ShownPage) -> None:
    page.open(PEN + "&seed=4823&style.slant=12&latent.shift/3=1.5&text=Dear+Anna,%0Ahello")
    assert page.find("#seed").get_property("value") == "4823"
    assert page.find("#text").get_property("value") == "Dear Anna,\nhello"
    assert page.find("#control-style-slant").get_property("value") == "12"
    page.find("#control-style-size").send_keys(Keys.ARROW_RIGHT)
    page.browser.run("navigator.clipboard.writeText = async text => { window.copied = text; }")
    page.find("#share").click()
    link = page.browser.wait_until("window.copied")
    assert "token" not in link
    page.open(link.removeprefix(page.url))
    assert page.find("#seed").get_property("value") == "4823"
    assert page.find("#text").get_property("value") == "Dear Anna,\nhello"
    assert float(page.find("#control-style-size").get_property("value")) == pytest.approx(1.01, abs=0.01)
    page.browser.wait_until("asked.some(one => one.argument?.name === 'latent.shift')")
    shifts = [one["value"] for one in page.asked("set") if one["name"] == "latent.shift"]
    assert shifts[-1][3] == 1.5
    page.find("#play").click()
    assert page.wait_for("restart")[0]["text"] == "Dear Anna,\nhello"


def test_wrong_parts_of_a_link_are_left_out(page: ShownPage) -> None:
    page.open("#voice=nobody&seed=-3&latent.nonsense=2&latent.shift/99=1&latent.temperature=many&style.slant=900")
    assert page.find("#seed").get_property("value") == "18"
    assert page.find("#control-style-slant").get_property("value") == "45"
    assert [one["name"] for one in page.asked("set")] == ["style.slant"]


def test_saved_states_stay_and_a_slider_morphs_between_them(page: ShownPage) -> None:
    page.open(SOUND)
    page.find(".save-row button").click()
    page.browser.wait_until("document.getElementById('notice').textContent.startsWith('There is nothing to save yet.')")
    page.find("#play").click()
    page.browser.wait_until("document.querySelector('#latents .bar').style.getPropertyValue('--value') !== '0.000'")
    for name in ("calm", "loud"):
        page.find(".save-row input").send_keys(name, Keys.ENTER)
        page.browser.wait_until(
            f"[...document.querySelectorAll('.states .name')].some(one => one.textContent === '{name}')"
        )
    page.open(SOUND)
    page.browser.wait_until("document.querySelectorAll('.states li').length === 2")
    page.find(".morph input").send_keys(Keys.ARROW_RIGHT)
    page.wait_for("set", 2)
    hold = next(one["value"] for one in page.asked("set") if one["name"] == "latent.hold")
    assert set(hold) == {1}
    page.find(".states .name").click()
    page.wait_for("restore")
    page.find('[aria-label="Remove calm"]').click()
    page.browser.wait_until("document.querySelectorAll('.states li').length === 1")
