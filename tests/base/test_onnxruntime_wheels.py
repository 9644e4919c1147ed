"""One line says which wheel of onnxruntime to reinstall, whatever is left of it, from every verb and from Python."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import ROOT, environment, the_error

INSTALLED = Path(sysconfig.get_path("purelib"))
GPU = "onnxruntime-gpu"
WANTED = GPU if (sys.platform, os.uname().machine) == ("linux", "x86_64") else "onnxruntime"


def site(folder: Path, wheels: tuple[str, ...], left: tuple[str, ...]) -> dict[str, str]:
    """Return an environment with everything that is installed here, but with these wheels of onnxruntime.

    Parameters
    ----------
    folder : Path
        An empty folder.
    wheels : tuple of str
        Distributions whose metadata are there.
    left : tuple of str
        Files of the folder `onnxruntime`; `*` for all files of the installed one.
    """
    for path in INSTALLED.iterdir():
        if not path.name.startswith(("onnxruntime", "vrnn_engine", "__editable__")) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    for name in wheels:
        info = folder / f"{name.replace('-', '_')}-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    if left == ("*",):
        (folder / "onnxruntime").symlink_to(INSTALLED / "onnxruntime")
    else:
        for name in left:
            (folder / "onnxruntime" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "onnxruntime" / name).write_text("")
    return environment(PYTHONPATH=f"{folder}{os.pathsep}{ROOT}")


def python(env: dict[str, str], *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python with that environment alone: -S leaves out what is installed beside it."""
    return subprocess.run([sys.executable, "-S", *words], env=env, cwd=cwd, capture_output=True, text=True, timeout=120)


# pip removes what both wheels have, and leaves the files that only the GPU wheel has.
REMAINS = ("capi/libonnxruntime_providers_cuda.so",)


@pytest.mark.parametrize(
    ("wheels", "left", "repair"),
    [
        ((GPU,), REMAINS, f"pip install --force-reinstall --no-deps {GPU}"),
        (("onnxruntime",), REMAINS, "pip install --force-reinstall --no-deps onnxruntime"),
        ((GPU,), (), f"pip install --force-reinstall --no-deps {GPU}"),
        ((GPU,), ("__init__.py",), f"pip install --force-reinstall --no-deps {GPU}"),
        (("onnxruntime", GPU), REMAINS, f"pip uninstall -y onnxruntime {GPU}, then pip install {WANTED}"),
        ((), REMAINS, f"pip install {WANTED}"),
        ((), (), f"onnxruntime is not installed; run: pip install {WANTED}"),
    ],
)
def test_an_error_says_which_wheel_to_reinstall(
    tmp_path: Path, wheels: tuple[str, ...], left: tuple[str, ...], repair: str
) -> None:
    env = site(tmp_path, wheels, left)
    done = python(env, "-m", "vrnn_engine", "stream", "-v", "blizzard", "-s", "0.1", "--to", "null")
    assert the_error(done).endswith(repair)
    code = "import vrnn_engine\ntry: vrnn_engine.Engine\nexcept vrnn_engine.ProviderError as error: print(error)"
    assert python(env, "-c", code).stdout.strip().endswith(repair)
    doctor = python(env, "-m", "vrnn_engine", "doctor")
    assert doctor.returncode == 1
    assert repair in doctor.stdout


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return site(tmp_path_factory.mktemp("site"), (GPU,), REMAINS)


@pytest.mark.parametrize(
    "words",
    [
        ("stream", "--voice", "blizzard", "--to", "null"),
        ("stream", "--voice", "handwriting", "--to", "page.svg"),
        ("voices", "verify", "handwriting"),
        ("bench", "--seconds", "0.01"),
        ("latents", "blizzard", "hello.wav"),
        ("devices",),
        ("export", "none.pt"),
    ],
    ids=" ".join,
)
def test_every_verb_that_needs_onnxruntime_says_so_in_one_line(
    damaged: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    soundfile.write(tmp_path / "hello.wav", np.zeros(16000), 16000)
    error = the_error(python(damaged, "-m", "vrnn_engine", *words, cwd=tmp_path))
    assert f"onnxruntime ({GPU}) is damaged" in error
    assert [path.name for path in tmp_path.iterdir()] == ["hello.wav"]


@pytest.mark.parametrize("words", [("voices",), ("voices", "show", "blizzard"), ("--help",)], ids=" ".join)
def test_verbs_that_need_no_onnxruntime_still_answer(damaged: dict[str, str], words: tuple[str, ...]) -> None:
    done = python(damaged, "-m", "vrnn_engine", *words)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("wheel", ["onnxruntime", GPU])
def test_doctor_accepts_either_wheel(tmp_path: Path, wheel: str) -> None:
    """Simulated: the files are those of the wheel that is installed here."""
    done = python(site(tmp_path, (wheel,), ("*",)), "-m", "vrnn_engine", "doctor")
    assert done.returncode == 0, done.stdout
    assert f"(of {wheel} 9.9)" in done.stdout
    assert "reinstall" not in done.stdout
    assert "uninstall" not in done.stdout
