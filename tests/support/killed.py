"""Kills a process with SIGKILL before a step of its writing, or at a write, without any help of the code under test.

A step is an audit event of Python about the file system: opening, renaming, removing and making, and the look-up of a
function of libc, which is how two names are exchanged.
"""

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support import failing
from vrnn_engine.errors import VRNNEngineError

STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "ctypes.dlsym"}
"""Audit events that count as steps."""
FAILED = 3
"""Exit code of a process whose writer has raised an error of the package or of the operating system."""
LONGEST = 400
"""More steps than any writer has; catches a writer that never ends."""


def killed_at_each_step(write: Callable[..., Any], folder: Path, *given: object) -> Iterator[int]:
    """Yield the number of each step before which a process that writes below a folder was killed, after it died.

    `write` is a function of a module, called with the folder and what is given, in a process of its own.
    """
    for step in range(1, LONGEST):
        code = _run(_killed_before, step, write, folder, *given)
        if code == 0:
            return
        assert code == -signal.SIGKILL, f"step {step}: exit code {code}"
        yield step
    raise AssertionError(f"more than {LONGEST} steps")


def killed_at_a_size(write: Callable[..., Any], folder: Path, size: int, *given: object) -> bool:
    """Let the kernel kill a process at the write that makes a file larger than some bytes; return whether it did."""
    code = _run(_killed_by_size, size, write, folder, *given)
    assert code in (0, -signal.SIGXFSZ), f"size {size}: exit code {code}"
    return code != 0


def killed_after(write: Callable[..., Any], folder: Path, seconds: float, *given: object) -> bool:
    """Kill a process some time after it has begun to write; return whether it was still writing."""
    ready, begun = multiprocessing.get_context("forkserver").Pipe(duplex=False)
    process = _start(_writing, begun, write, folder, *given)
    begun.close()
    ready.recv()
    time.sleep(seconds)
    process.kill()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def fails_at_a_size(write: Callable[..., Any], folder: Path, size: int, *given: object) -> bool:
    """Let each write fail that makes a file larger than some bytes; return whether the writer raised its error."""
    code = _run(_failing_by_size, size, write, folder, *given)
    assert code in (0, FAILED), f"size {size}: exit code {code}"
    return code == FAILED


def fails_by(fault: str, write: Callable[..., Any], folder: Path, *given: object) -> bool:
    """Let one of `support.failing.FAULTS` happen; return whether the writer raised its error."""
    code = _run(_failing_by, fault, write, folder, *given)
    assert code in (0, FAILED), f"{fault}: exit code {code}"
    return code == FAILED


def _run(target: Callable[..., None], *given: object) -> int:
    process = _start(target, *given)
    process.join(60)
    assert process.exitcode is not None, "the writer hangs"
    return process.exitcode


def _start(target: Callable[..., None], *given: object) -> Any:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["support.writers"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the server does not get sys.path, and would preload nothing
    try:
        process = processes.Process(target=_with_environment, args=(dict(os.environ), target, *given))
        process.start()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return process


def _with_environment(environment: dict[str, str], target: Callable[..., None], *given: object) -> None:
    os.environ.update(environment)  # the server has that of the first test
    target(*given)


def _writing(begun: Any, write: Callable[..., Any], folder: Path, *given: object) -> None:
    begun.send(None)
    write(folder, *given)
    os._exit(0)


def _killed_before(step: int, write: Callable[..., Any], folder: Path, *given: object) -> None:
    left, inside = step, os.fspath(folder)

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in STEPS and (event == "ctypes.dlsym" or _path(arguments).startswith(inside)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    write(folder, *given)
    os._exit(0)  # the end of the interpreter is no part of it


def _killed_by_size(size: int, write: Callable[..., Any], folder: Path, *given: object) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and the write would fail instead
    write(folder, *given)
    os._exit(0)


def _failing_by_size(size: int, write: Callable[..., Any], folder: Path, *given: object) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    _write(write, folder, *given)


def _failing_by(fault: str, write: Callable[..., Any], folder: Path, *given: object) -> None:
    failing.let_fail(fault)
    _write(write, folder, *given)


def _write(write: Callable[..., Any], folder: Path, *given: object) -> None:
    try:
        write(folder, *given)
    except (VRNNEngineError, OSError):
        os._exit(FAILED)
    os._exit(0)


def _path(arguments: tuple[object, ...]) -> str:
    first = arguments[0] if arguments else ""
    return os.fsdecode(first) if isinstance(first, str | bytes | os.PathLike) else ""
