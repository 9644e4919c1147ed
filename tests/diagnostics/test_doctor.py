"""`vrnn-engine doctor`: its checks, and its advice about what does not work."""

import json
import os
import sys
from pathlib import Path

import pytest
from support import sound_server
from support.command import ROOT, Run

from vrnn_engine import Engine, ProviderError
from vrnn_engine.diagnostics import doctor


def findings(done):
    """Return the findings by topic, and the whole answer."""
    said = json.loads(done.stdout)
    return {finding["topic"]: finding for finding in said["findings"]}, said


def test_doctor_reports_what_works_here(run: Run) -> None:
    done = run("doctor", "--json")
    found, said = findings(done)
    assert done.returncode == 0, done.stderr
    assert said["works"] is True
    assert found["device auto"]["state"] == found["device cpu"]["state"] == "ok"
    assert "CPUExecutionProvider" in found["device cpu"]["text"]
    assert found["onnxruntime"]["state"] == found["cores"]["state"] == "ok"
    assert f"Python {sys.version.split()[0]}" in found["installed"]["text"]
    table = run("doctor")
    assert table.returncode == 0
    assert f"vrnn-engine stream --voice blizzard --device {said['recommended']['device']} --to " in table.stdout


def site(tmp_path: Path, **files: str) -> dict[str, str]:
    """Return an environment in which these files precede all that is installed."""
    for name, text in files.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}"}


def test_two_wheels_of_onnxruntime_are_reported(run: Run, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('libexample.so.1: cannot open')", "libexample.so.1"),
        ("raise OSError('libexample.so.1: bad ELF')", "libexample.so.1"),
        ("", "has no attribute"),  # left behind when one of two wheels is uninstalled
    ],
)
def test_an_onnxruntime_that_does_not_load_is_a_problem(run: Run, tmp_path: Path, code: str, reason: str) -> None:
    env = site(tmp_path, **{"onnxruntime/__init__.py": code})
    done = run("doctor", "--json", env=env)
    found, said = findings(done)
    assert (done.returncode, said["works"]) == (1, False)
    assert found["onnxruntime"]["state"] == "problem"
    assert reason in found["onnxruntime"]["text"]
    assert said["recommended"] == {}
    table = run("doctor", env=env)
    assert table.returncode == 1
    assert "PROBLEM" in table.stdout
    assert "Recommended" not in table.stdout


def test_a_missing_extra_is_reported_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name == "matplotlib" else known(name))
    found = {finding.topic: finding for finding in doctor.diagnose().findings}
    assert found["extra plot"].state == "note"
    assert "pip install 'vrnn-engine[plot]'" in found["extra plot"].advice


def test_a_bundled_voice_that_is_damaged_is_a_problem(run: Run, tmp_path: Path) -> None:
    """Simulated: a package without its voices."""
    code = "import vrnn_engine.runtime.voice.lookup as v; v.BUNDLED = v.Path('/nowhere')\n"
    done = run("doctor", "--json", env=site(tmp_path, **{"sitecustomize.py": code}))
    found, said = findings(done)
    assert (done.returncode, said["works"]) == (1, False)
    assert "unknown voice" in found["device auto"]["text"]


def test_an_error_of_the_default_device_alone_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(where: str, device: str) -> Engine:
        if device == "auto":
            raise ProviderError("it cannot")
        return real(where, device)

    real = Engine.load
    monkeypatch.setattr(Engine, "load", load)
    done = doctor.diagnose()
    states = {finding.topic: finding.state for finding in done.findings}
    assert (states["device auto"], states["device cpu"], done.works) == ("problem", "ok", False)


def test_sound_counts_as_working_only_if_it_plays(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
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
