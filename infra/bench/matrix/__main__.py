"""The matrix: how the rules judge the probe's runs under each kind of interference and in each bad network.

`python -m infra.bench.matrix --interference 50 --bad 1000` makes a test bed of network namespaces (as root), measures
with the shipped probe, judges with the shipped rules in a real store, and writes docs/methods-matrix.md. The portable
lab is measured too; without root it alone is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from infra.bench.matrix.cases import CaseResult, cases, portable_runs, run
from infra.bench.matrix.judge import Judge
from infra.bench.matrix.namespaces import NamespaceBed, missing
from infra.bench.matrix.page import table
from probe.base.errors import UserError

_MOST_SEQUENTIAL_RUNS = 10
"""Limit for a case whose runs are made one after the other: each takes ten seconds or more."""
PAGE = Path(__file__).parents[3] / "docs" / "methods-matrix.md"


def _print_progress(r: CaseResult) -> None:
    rules = {surface: dict(counts) for surface, counts in r.rules.items()}
    print(f"{r.case.id}: {r.right} of {r.runs} right, {r.seconds:.0f} s: {rules}", file=sys.stderr)  # noqa: T201


def main() -> None:
    """Run the cases and write the page. Exits with 1 if a run in a bad network was called blocked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interference", type=int, default=50, help="runs for each kind of interference")
    parser.add_argument("--bad", type=int, default=200, help="runs for each bad network")
    parser.add_argument(
        "--at-once", type=int, default=120, help="runs at the same time; most of them wait for the network"
    )
    parser.add_argument(
        "--only", nargs="*", default=[], help="ids of the cases to run; the page is then printed, not written"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # the exit removes the namespaces
    chosen = [c for c in cases() if not options.only or c.id in options.only]
    if missing():
        print(f"only the portable lab is measured, without network namespaces: {missing()}", file=sys.stderr)  # noqa: T201
        chosen = []
    results: list[CaseResult] = []
    with tempfile.TemporaryDirectory(prefix="blockonset-bench-") as folder:
        judge = Judge(Path(folder) / "store")
        try:
            (Path(folder) / "bed").mkdir()
            (Path(folder) / "lab").mkdir()
            lab_results = [] if options.only else portable_runs(judge, Path(folder) / "lab", options.interference)
            for r in lab_results:
                _print_progress(r)
            with NamespaceBed(Path(folder) / "bed") if chosen else contextlib.nullcontext() as bed:
                for case in chosen:
                    count = options.interference if case.kind == "interference" else options.bad
                    count = min(count, _MOST_SEQUENTIAL_RUNS) if case.sequential else count
                    assert bed is not None
                    results.append(run(bed, judge, case, count, options.at_once))
                    _print_progress(results[-1])
                    if not options.only:  # after every case, so that an interruption loses nothing
                        PAGE.write_text(table(results, lab_results, judge.rule_set.version), encoding="utf-8")
            if not options.only:
                PAGE.write_text(table(results, lab_results, judge.rule_set.version), encoding="utf-8")
        finally:
            judge.close()
    if options.only:
        print(table(results, [], judge.rule_set.version))  # noqa: T201
    sys.exit(any(r.blocked for r in results if r.case.kind == "bad"))


if __name__ == "__main__":
    try:
        main()
    except UserError as e:
        sys.exit(str(e))
