"""Looks for faults of one reader with atheris, which keeps each input that reaches new lines of the package.

    python benchmarks/coverage_fuzzing.py osc --seconds 60                  # needs atheris: make fuzz-atheris
    python benchmarks/coverage_fuzzing.py snapshot-payloads --seconds 3600 --corpus build/fuzzing

The readers, and what counts as a fault, are those of benchmarks/mutations.py.  The first inputs are valid input and
some damaged input of `tests/support/fuzz`; atheris changes these.  The inputs that reached new lines stay in the
corpus, a folder for each reader, so that the next run continues from them.  At the first fault the input is written to
a file `crash-...` there, its verdict is printed, and the exit code is not 0.
"""

import argparse
import faulthandler
import hashlib
import shutil
import sys
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["vrnn_engine"]):
    from support.fuzz import READERS
    from support.fuzz.reader import MOST_SECONDS, Reader, confine, judge, move_homes

SEEDS = 200
"""Number of damaged inputs in a new corpus."""
LONGEST = 1 << 16
"""Largest number of bytes of an input."""


class FaultFound(Exception):
    """A reader has failed; the message is the verdict."""


def fill(corpus: Path, reader: Reader) -> None:
    """Write valid and damaged inputs into an empty corpus.

    Parameters
    ----------
    corpus : Path
        Its folder, which is made if it is missing.  A corpus that has files stays as it is.
    reader : Reader
        The reader; its input is bytes.
    """
    corpus.mkdir(parents=True, exist_ok=True)
    if any(corpus.iterdir()):
        return
    for data in (reader.valid, *(reader.damaged(Random(number)) for number in range(SEEDS))):
        if len(data) <= LONGEST:
            (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--seconds", type=int, default=60, help="time to run (default: 60)")
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzzing"), help="folder of all corpora")
    options = parser.parse_args()
    confine()
    corpus = options.corpus.resolve() / options.reader
    home = corpus.with_name(f"{options.reader}.home")  # atheris ends the process: nothing could remove it at the end
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    move_homes(home)
    reader = READERS[options.reader](home)
    if not isinstance(reader.valid, bytes):
        parser.error(f"the input of {options.reader} has several parts, and atheris makes bytes; use mutations.py")
    expected = reader.read(reader.valid)
    fill(corpus, reader)

    def try_one(data: bytes) -> None:
        faulthandler.dump_traceback_later(3 * MOST_SECONDS, exit=True)  # what no signal interrupts
        verdict = judge(reader, data, expected)
        if verdict.is_fault:
            raise FaultFound(f"{verdict.kind}: {verdict.detail}")

    limits = [f"-max_total_time={options.seconds}", f"-max_len={LONGEST}", "-timeout=0", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", f"-artifact_prefix={corpus}/", str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
