"""Damages the input of every reader at random, and counts what happens.

    python benchmarks/mutations.py --count 1000                      # every reader
    python benchmarks/mutations.py --count 100000 --reader snapshots --seed 2

Each input is valid input with one to four faults: flipped bits, cuts, repeated and spliced bytes, hostile numbers and
texts, and, where a checksum would hide these, fields that are damaged under a right checksum.  A reader must refuse an
input in one line, or accept it.  Prints a row of a table for each reader, and the first fault of each kind; the exit
code is 1 if there is any.  `tests/support/fuzz` has the readers, and `tests/fuzz` runs them with few inputs.
"""

import argparse
import collections
import faulthandler
import sys
import tempfile
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.fuzz import READERS
from support.fuzz.reader import MOST_SECONDS, Verdict, confine, judge, move_homes

COLUMNS = ("refused", "equal", "other", "traceback", "hang", "memory")


def run(name: str, count: int, seed: int) -> tuple[collections.Counter[str], dict[str, tuple[int, Verdict]]]:
    """Return how often each verdict was reached, and the first input of each kind of fault.

    Parameters
    ----------
    name : str
        Name of a reader.
    count, seed : int
        Inputs `seed` to `seed + count - 1` are tried.
    """
    found: collections.Counter[str] = collections.Counter()
    faults: dict[str, tuple[int, Verdict]] = {}
    with tempfile.TemporaryDirectory() as home:
        move_homes(Path(home))
        reader = READERS[name](Path(home))
        expected = reader.read(reader.valid)
        for number in range(seed, seed + count):
            given = reader.damaged(Random(number))
            faulthandler.dump_traceback_later(3 * MOST_SECONDS, exit=True)  # what no signal interrupts
            verdict = judge(reader, given, expected)
            found[verdict.kind] += 1
            if verdict.is_fault:
                faults.setdefault(_kind(verdict), (number, verdict))
    faulthandler.cancel_dump_traceback_later()
    return found, faults


def _kind(verdict: Verdict) -> str:
    """Return the error and the line of the package that raised it, which faults of one kind share."""
    lines = verdict.detail.strip().splitlines()
    places = [line.strip() for line in lines if "vrnn_engine/" in line]
    return f"{verdict.kind}: {places[-1] if places else ''}: {lines[-1][:60] if lines else ''}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="inputs for each reader (default: 200)")
    parser.add_argument("--reader", action="append", choices=READERS, help="a reader; may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input (default: 0)")
    parser.add_argument("--details", action="store_true", help="print the whole traceback of each kind of fault")
    options = parser.parse_args()
    confine()
    print(f"| reader | tried | {' | '.join(COLUMNS)} | seconds |\n|---|{'---|' * (len(COLUMNS) + 2)}", flush=True)
    failed = False
    for name in options.reader or READERS:
        started = time.monotonic()
        found, faults = run(name, options.count, options.seed)
        seconds = time.monotonic() - started
        counts = " | ".join(str(found[kind]) for kind in COLUMNS)
        print(f"| {name} | {options.count} | {counts} | {seconds:.1f} |", flush=True)
        for kind, (number, verdict) in faults.items():
            failed = True
            print(f"    --seed {number}: {kind}", file=sys.stderr)
            if options.details:
                print(verdict.detail, file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
