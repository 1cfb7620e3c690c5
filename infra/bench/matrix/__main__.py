"""The matrix: each way of interfering, and each merely bad network, against what the rules make of the probe's runs.

`python -m infra.bench.matrix --ways 50 --bad 1000` makes a test bed of network namespaces (as root), measures
with the shipped probe, judges with the shipped rules in a real store, and writes docs/methods-matrix.md. The portable
lab is measured too, and where there is no root it alone.
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

_MOST_ALONE = 10
"""Runs of a case that can't have several at a time, at most: each takes ten seconds and more."""
PAGE = Path(__file__).parents[3] / "docs" / "methods-matrix.md"


def _tell(r: CaseResult) -> None:
    said = {s: dict(c) for s, c in r.rules.items()}
    print(f"{r.case.id}: {r.right} of {r.runs} right, {r.seconds:.0f} s: {said}", file=sys.stderr)  # noqa: T201


def main() -> None:
    """Read the command line, run the cases, write the page. Ends with 1 where a bad network was called blocked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", type=int, default=50, help="runs for each way of interfering")
    parser.add_argument("--bad", type=int, default=200, help="runs for each bad network")
    parser.add_argument("--at-once", type=int, default=120, help="runs under way; most of them wait")
    parser.add_argument("--only", nargs="*", default=[], help="ids of cases; the page is then printed and not written")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and the namespaces with it
    chosen = [c for c in cases() if not given.only or c.id in given.only]
    if missing():
        print(f"no network namespaces, so the portable lab alone: {missing()}", file=sys.stderr)  # noqa: T201
        chosen = []
    results: list[CaseResult] = []
    with tempfile.TemporaryDirectory(prefix="blockonset-bench-") as folder:
        court = Judge(Path(folder) / "store")
        try:
            (Path(folder) / "bed").mkdir()
            (Path(folder) / "lab").mkdir()
            in_lab = [] if given.only else portable_runs(court, Path(folder) / "lab", given.ways)
            for r in in_lab:
                _tell(r)
            with NamespaceBed(Path(folder) / "bed") if chosen else contextlib.nullcontext() as bed:
                for case in chosen:
                    count = given.ways if case.kind == "way" else given.bad
                    count = min(count, _MOST_ALONE) if case.alone else count
                    assert bed is not None
                    results.append(run(bed, court, case, count, given.at_once))
                    _tell(results[-1])
                    if not given.only:  # after every case: what was measured is kept, however it ends
                        PAGE.write_text(table(results, in_lab, court.rule_set.version), encoding="utf-8")
            if not given.only:
                PAGE.write_text(table(results, in_lab, court.rule_set.version), encoding="utf-8")
        finally:
            court.close()
    if given.only:
        print(table(results, [], court.rule_set.version))  # noqa: T201 - asked for
    sys.exit(any(r.blocked for r in results if r.case.kind == "bad"))


if __name__ == "__main__":
    try:
        main()
    except UserError as e:
        sys.exit(str(e))
