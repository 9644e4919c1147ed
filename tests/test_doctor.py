"""`vrnn-engine doctor`: it tries what it speaks of, and says what to do about what does not work."""

import json
import sys
from pathlib import Path

import pytest
import sound_server
from command import ROOT, Run


def findings(done):
    """The findings by topic, and all that was said."""
    said = json.loads(done.stdout)
    return {finding["topic"]: finding for finding in said["findings"]}, said


def test_says_what_works_here(run: Run) -> None:
    done = run("doctor", "--json")
    found, said = findings(done)
    assert done.returncode == 0, done.stderr
    assert said["works"] is True
    assert found["device cpu"]["state"] == "ok"
    assert "CPUExecutionProvider" in found["device cpu"]["text"]
    assert found["onnxruntime"]["state"] == found["cores"]["state"] == "ok"
    assert f"Python {sys.version.split()[0]}" in found["installed"]["text"]
    assert all(
        finding["advice"]
        for finding in said["findings"]
        if finding["topic"].startswith("extra") and finding["state"] != "ok"
    )
    table = run("doctor")
    assert table.returncode == 0
    assert f"vrnn-engine stream --voice blizzard --device {said['recommended']['device']} --to " in table.stdout


def site(tmp_path: Path, **files: str) -> dict[str, str]:
    """An environment in which these files come before all that is installed; `__` stands for a folder."""
    for name, text in files.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}


def test_two_wheels_of_onnxruntime_are_one_too_many(run: Run, tmp_path: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: {}\nVersion: 9.9\n"
    env = site(
        tmp_path,
        **{
            f"{name.replace('-', '_')}-9.9.dist-info/METADATA": metadata.format(name)
            for name in ("onnxruntime", "onnxruntime-gpu")
        },
    )
    done = run("doctor", env=env)
    assert done.returncode == 0
    assert "onnxruntime 9.9 and onnxruntime-gpu 9.9 are installed into the same folder" in done.stdout
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in done.stdout


def test_an_onnxruntime_that_does_not_load_is_a_problem(run: Run, tmp_path: Path) -> None:
    env = site(tmp_path, **{"onnxruntime/__init__.py": "raise ImportError('libexample.so.1: cannot open')"})
    done = run("doctor", "--json", env=env)
    found, said = findings(done)
    assert (done.returncode, said["works"]) == (1, False)
    assert found["onnxruntime"]["state"] == "problem"
    assert "libexample.so.1" in found["onnxruntime"]["text"]
    table = run("doctor", env=env)
    assert table.returncode == 1
    assert "PROBLEM" in table.stdout
    assert "Recommended" not in table.stdout


def test_a_bundled_voice_that_is_damaged_is_a_problem(run: Run, tmp_path: Path) -> None:
    """As a half-finished installation leaves it."""
    code = "import vrnn_engine.runtime.voice as v; v.BUNDLED = v.Path('/nowhere')\n"
    done = run("doctor", "--json", env=site(tmp_path, **{"sitecustomize.py": code}))
    found, said = findings(done)
    assert (done.returncode, said["works"]) == (1, False)
    assert "unknown voice" in found["device cpu"]["text"]


def test_sound_is_played_to_be_believed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    if reason := sound_server.missing():
        pytest.skip(reason)
    server = sound_server.SoundServer(tmp_path_factory.mktemp("sound"))
    try:
        found, said = findings(run("doctor", "--json", env=server.environment))
    finally:
        server.close()
    assert found["sound"]["state"] == "ok", found["sound"]
    assert "silence" in found["sound"]["text"]
    assert said["recommended"]["to"] == "speakers"
