"""benchmarks/web_page.py: it plays the page, counts gaps, and takes pictures."""

import json
import sys
from pathlib import Path

import pytest
from support import browser as browsers

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import web_page


@pytest.mark.slow
@pytest.mark.skipif(browsers.missing() is not None, reason=browsers.missing() or "")
@pytest.mark.parametrize("served", [False, True], ids=["static", "served"])
def test_a_page_is_played_and_photographed(
    toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: bool
) -> None:
    monkeypatch.setattr(web_page, "MINUTE", 4.0)
    monkeypatch.setattr(web_page, "SHOT_SECONDS", 0.1)
    words = ["--voice", str(toy_audio), "--minutes", "2", "--json", str(tmp_path / "report.json")]
    words += ["--shots", str(tmp_path / "shots"), *(["--served"] if served else [])]
    monkeypatch.setattr(sys, "argv", ["web_page.py", *words])
    web_page.main()
    report = json.loads((tmp_path / "report.json").read_text())
    # The page of a server loads neither the graph nor onnxruntime.
    assert (50_000 < report["bytes"] < 500_000) if served else report["bytes"] > 3_500_000
    assert report["first_sound_ms"] > 0
    assert report["browser"].startswith("Chromium ")
    assert report["level"] > 0.01
    assert [0 < one["p50"] <= one["p99"] <= one["max"] for one in report["minutes"]] == [True, True]
    pictures = {path.name for path in (tmp_path / "shots").iterdir()}
    assert pictures == {
        f"toy-audio-{size}-{colours}.png" for size in ("phone", "desktop") for colours in ("light", "dark")
    }
    assert "gaps in 0.1 minutes" in capsys.readouterr().out
