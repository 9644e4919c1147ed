"""`vrnn-engine write` as users run it: pages, pipes, errors, interrupts; and `stream --text`, which does the same."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import Run, environment, run_command, the_error
from support.pen_helpers import read_svg

WIDE = "width=2000"  # the tiny voice has random weights, and its words are wide


@pytest.fixture
def write(text_voice: Path, tmp_path: Path) -> Run:
    """Run the command with the tiny voice."""

    def run(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
        seed = () if "--seed" in words else ("--seed", "3")
        command = [sys.executable, "-m", "vrnn_engine", "write", "--voice", str(text_voice), *seed, *words]
        home = environment(VRNN_ENGINE_HANDS=str(tmp_path / "hands"))
        done = subprocess.run(command, cwd=tmp_path, input=given, capture_output=True, timeout=300, env=home)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def test_a_text_is_written_on_a_page_and_counted(write: Run, tmp_path: Path) -> None:
    done = write("Dear Anna,\nthank you\n\nfor all.", "--to", f"letter.svg?{WIDE}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    first, *_, last = done.stderr.splitlines()
    assert first == "text: seed 3, CPUExecutionProvider, fp32 -> letter.svg"
    assert last.startswith("30 characters, 3 lines, 1 page, ")
    assert " written again, " in last
    strokes, _ = read_svg(tmp_path / "letter.svg")
    assert len(strokes) > 10


def test_the_same_text_from_all_sources_and_by_stream_is_the_same_page(
    write: Run, text_voice: Path, tmp_path: Path
) -> None:
    text = 'it\'s "one"\ntwo - three\n'
    (tmp_path / "letter.txt").write_bytes("\ufeff“it’s” ".encode()[:3] + "it’s “one”\r\ntwo – three\r\n".encode())
    assert write(text, "--to", f"a.svg?{WIDE}").returncode == 0
    done = write("--file", "letter.txt", "--to", f"b.svg?{WIDE}")
    assert "typographic characters are written as plain ones, such as ’ as '" in done.stderr.splitlines()
    assert write("-", "--to", f"c.svg?{WIDE}", given=text.encode()).returncode == 0
    assert write("--file", "-", "--to", f"e.svg?{WIDE}", given=text.encode()).returncode == 0
    same = ("--voice", text_voice, "--seed", 3, "--to", f"d.svg?{WIDE}", "--text", text)
    assert run_command("stream", *same, cwd=tmp_path).returncode == 0
    pages = {(tmp_path / f"{name}.svg").read_bytes() for name in "abcde"}
    assert len(pages) == 1


def test_without_a_target_the_page_has_the_name_of_the_voice(write: Run, tmp_path: Path) -> None:
    done = write("hi", "--width", "2000")
    assert done.returncode == 0, done.stderr
    assert "-> text.svg (no --to given)" in done.stderr
    assert (tmp_path / "text.svg").exists()


def test_points_go_to_stdout_and_all_else_to_stderr(write: Run) -> None:
    done = write("hi", "--to", "-")
    points = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(point) for point in points} == {("t", "dx", "dy", "pen_up")}
    assert done.stderr.splitlines()[-1].startswith("2 characters, ")


def test_a_long_letter_has_several_pages(write: Run, tmp_path: Path) -> None:
    done = write("a\n" * 12, "--to", "letter.svg?width=400&height=100")
    assert done.returncode == 0, done.stderr
    pages = len(list(tmp_path.glob("letter*.svg")))
    assert pages > 1
    assert f"24 characters, 12 lines, {pages} pages, " in done.stderr


@pytest.mark.parametrize(
    ("words", "given", "error"),
    [
        (["Grüße"], None, "error: the voice cannot write 'ü' (line 1, character 3); the nearest"),
        (["-"], "one\ntwo ü\n", "error: the voice cannot write 'ü' (line 2, character 5); the nearest"),
        ([""], None, "error: the text has no characters to write"),
        (["-"], "", "error: stdin has no characters to write"),
        (["-"], b"one\n\xff\n", "error: stdin: byte 4 (0xFF) is not UTF-8; save the text as UTF-8"),
        (["--file", "nothing.txt"], None, "error: nothing.txt: cannot be read: No such file or directory"),
        (["--file", "."], None, "error: . is a folder, not a text"),
        (
            ["abcdefghijklmnopqrstuvwxyz", "--to", "a.svg?width=26&margin=1", "--set", "style.size=4"],
            None,
            "error: the word 'abcdefghijkl",
        ),
        (["hi", "--to", "a.svg?width=30"], None, "error: a.svg: a page 30 mm wide with margins of 12 mm has no room"),
    ],
    ids=["alphabet", "alphabet of stdin", "empty", "empty stdin", "utf-8", "no file", "folder", "wide word", "page"],
)
def test_a_text_that_cannot_be_written_is_an_error_of_one_line(
    write: Run, tmp_path: Path, words: list[str], given: str | bytes | None, error: str
) -> None:
    data = given.encode() if isinstance(given, str) else given
    assert the_error(write(*words, given=data)).startswith(error)
    assert not list(tmp_path.glob("text.svg")) or given == "one\ntwo ü\n"


def test_a_voice_without_text_is_refused(toy_pen: Path, tmp_path: Path) -> None:
    done = run_command("write", "hi", "--voice", toy_pen, cwd=tmp_path)
    assert "writes no text; load a voice that does" in the_error(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of TEXT, --file FILE and --live is needed"),
        (["hi", "--file", "a.txt"], "TEXT and --file cannot be combined"),
        (["hi", "--live"], "TEXT and --live cannot be combined"),
        (["--live"], "--live needs a terminal to type on; pipe a text into `vrnn-engine write -`"),
        (
            ["Dear", "Anna"],
            'Anna is an argument too many; put a text with spaces in quotation marks: "Dear Anna"',
        ),
        (["hi", "out.svg"], "out.svg is an argument too many; write --to out.svg"),
    ],
    ids=["none", "two", "typed", "no terminal", "no quotation marks", "a target"],
)
def test_one_text_is_given_and_typed_only_on_a_terminal(write: Run, words: list[str], message: str) -> None:
    done = write(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"Error: {message}"


def test_a_stream_that_listens_writes_no_text(text_voice: Path, tmp_path: Path) -> None:
    done = run_command("stream", "--voice", text_voice, "--text", "hi", "--from", "ink.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "Error: --text cannot be combined with --from" in done.stderr


def test_text_and_ink_are_not_both_read_from_stdin(write: Run) -> None:
    done = write("-", "--prime", "-", given=b"one")
    assert done.returncode == 2
    assert "Error: --prime cannot be stdin, from which the text is read" in done.stderr


def test_the_nearest_characters_are_written_if_that_is_asked_for(write: Run) -> None:
    done = write("Grüße", "--nearest", "--to", "null")
    assert done.returncode == 0, done.stderr
    assert "ü is written as u" in done.stderr
    assert "ß is written as s" in done.stderr


def test_lines_of_a_pipe_are_written_as_they_arrive_and_an_interrupt_keeps_them(
    text_voice: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "vrnn_engine",
        "write",
        "-",
        "--voice",
        str(text_voice),
        "--seed",
        "3",
        "--to",
        "-",
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"several words on a line\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["t"] == 0  # although the text goes on
    process.send_signal(signal.SIGINT)
    rest, said = process.stdout.read(), process.stderr.read()
    process.stdin.close()
    assert process.wait(timeout=100) == 130
    assert rest == b"" or json.loads(rest.splitlines()[-1])
    *_, count, last = said.decode().splitlines()
    assert " written again, " in count
    assert last == "interrupted"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
def test_the_memory_does_not_grow_with_the_text(write: Run, text_voice: Path, tmp_path: Path) -> None:
    """A text of 50 MB is checked before it is written, and then read as it is needed."""
    with open(tmp_path / "long.txt", "w") as file:
        for _ in range(50):
            file.write("a long line of words\n" * 50_000)
    used = []
    for words in (["--file", "long.txt"], ["some words"]):
        command = [sys.executable, "-m", "vrnn_engine", "write", *words, "--voice", str(text_voice), "--to", "-"]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        )
        assert process.stdout is not None
        for _ in range(20 if words == ["some words"] else 3000):
            process.stdout.readline()
        used.append(peak_memory(process.pid))
        process.kill()
        process.communicate()
    assert used[0] < used[1] + 20_000


def peak_memory(pid: int) -> int:
    """Return the largest memory that a process has had, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_a_terminal_is_not_needed(write: Run, tmp_path: Path) -> None:
    done = write("hi", "--to", "terminal")
    assert "stderr is not a terminal" in the_error(done)
    assert os.listdir(tmp_path) == []


def test_a_hand_is_saved_and_written_in_again(write: Run, text_voice: Path, tmp_path: Path) -> None:
    def points(*words: str) -> str:
        done = write(*words, "--to", "-")
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "ink.jsonl").write_text(points("one", "--seed", "8", "--save-hand", "mine"))
    plain, mine = points("two"), points("two", "--hand", "mine")
    assert plain != mine
    assert points("two", "--hand", "mine") == mine
    primed = points("two", "--prime", "ink.jsonl", "--prime-text", "one", "--save-hand", "theirs")
    assert primed not in (plain, mine)
    assert "no hand 'ours' in " in the_error(write("two", "--hand", "ours"))


def test_a_saved_hand_is_not_replaced_and_its_name_is_checked_first(write: Run, tmp_path: Path) -> None:
    assert write("one", "--to", "null", "--save-hand", "mine").returncode == 0
    (saved,) = tmp_path.glob("hands/*/mine.json")
    before = saved.read_bytes()
    again = write("one", "--seed", "9", "--to", "a.svg", "--save-hand", "mine")
    assert again.returncode == 2
    assert "--save-hand would replace the hand 'mine'; choose another name" in again.stderr
    assert "vrnn-engine hands delete mine --voice" in again.stderr
    assert "a hand cannot be named 'my/hand'" in the_error(write("one", "--to", "a.svg", "--save-hand", "my/hand"))
    assert saved.read_bytes() == before
    assert os.listdir(tmp_path) == ["hands"]


def test_a_plot_that_is_continued_may_save_its_hand_again_but_no_other(write: Run, tmp_path: Path) -> None:
    (tmp_path / "ink.jsonl").write_text(write("one", "--seed", "8", "--to", "-").stdout)
    prime = ("--prime", "ink.jsonl", "--prime-text", "one", "--save-hand", "mine")
    plot = ("--to", "serial:nowhere?format=gcode", "--resume", "plot.json")
    for _ in range(2):
        assert "nowhere" in the_error(write("two", "--seed", "1", *prime, *plot))
    (saved,) = tmp_path.glob("hands/*/mine.json")
    before = saved.read_bytes()
    (tmp_path / "ink.jsonl").write_text(write("oh no", "--seed", "9", "--to", "-").stdout)
    other = write("two", "--seed", "1", "--prime", "ink.jsonl", "--prime-text", "oh no", "--save-hand", "mine", *plot)
    assert "--save-hand would replace the hand 'mine'" in other.stderr
    assert saved.read_bytes() == before


@pytest.mark.parametrize(
    "words", [["--hand", "a", "--prime", "a.jsonl"], ["--prime-text", "a"]], ids=["two hands", "a text without ink"]
)
def test_options_of_the_hand_that_do_not_fit_together_are_wrong_usage(write: Run, words: list[str]) -> None:
    assert write("hi", *words).returncode == 2
