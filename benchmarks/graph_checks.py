"""Compares the checks of graphs with onnxruntime: random graphs that pass the checks must keep what these promise.

    python benchmarks/graph_checks.py --count 1000                  # graphs of one operator
    python benchmarks/graph_checks.py --count 1000 --length 5       # of five, which onnxruntime may join

Of each graph, onnxruntime computes a batch and each of its rows alone, in another process and with two contents of
unused memory.  The shapes must be those that the checks have found, and each row must be the same in the batch and
alone.  Prints a row of a table, and each fault; the exit code is 1 if there is any.
"""

import argparse
import collections
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.fuzz.compared_graphs import FAULTS, KINDS, Comparison, accepted
from support.fuzz.random_graphs import random_graph

UNFIT = "not made"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="number of graphs (default: 1000)")
    parser.add_argument("--length", type=int, default=1, help="operators of a graph (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first graph (default: 0)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder for the graphs with a fault")
    options = parser.parse_args()
    started = time.monotonic()
    found: collections.Counter[str] = collections.Counter()
    with Comparison() as comparison:
        for number in range(options.seed, options.seed + options.count):
            graph = random_graph(Random(number), options.length, accepted)
            finding = comparison.compare(graph) if graph is not None else None
            found[finding.kind if finding else UNFIT] += 1
            if graph is not None and finding is not None and finding.is_fault:
                operators = ", ".join(node.op_type for node in graph.graph.node)
                print(f"graph {number}: {finding.kind}: {operators}: {finding.detail}", file=sys.stderr)
                if options.keep is not None:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{number}.onnx").write_bytes(graph.SerializeToString())
    columns = (*KINDS, UNFIT)
    print(f"| graphs | {' | '.join(columns)} | seconds |\n|---|{'---|' * (len(columns) + 1)}")
    counts = " | ".join(str(found[kind]) for kind in columns)
    print(f"| {options.count} | {counts} | {time.monotonic() - started:.1f} |")
    return int(any(found[kind] for kind in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
