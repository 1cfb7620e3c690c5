"""The command `blockonset infer`."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from probe.base import times
from tests.support.measured_fleet import FleetSpec, make, seconds

OUTCOMES, STATES = ("ok", "fail", "inconclusive"), ("ok", "fail", "")
BLOCKED = FleetSpec(cadence=600, length=4 * 86400, blocks=((2 * 86400, 1e9),), lines=3)


class Finished(NamedTuple):
    """The result of a run of the command."""

    returncode: int
    stdout: str
    stderr: str


def process(*arguments: str | Path, stdin: bytes = b"") -> Finished:
    """The installed command, as a person would run it."""
    done = subprocess.run(
        [sys.executable, "-m", "probe", "infer", *map(str, arguments)], input=stdin, capture_output=True, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def run(*arguments: str | Path) -> Finished:
    """The same within this process, which is faster."""
    from probe.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["infer", *map(str, arguments)])
        except SystemExit as e:
            code = int(e.code or 0)
    return Finished(code, out.getvalue(), err.getvalue())


def records(spec: FleetSpec, provider: str = "prov") -> list[dict[str, object]]:
    """Generated rows, as the columns of a file."""
    r = make(spec)
    return [
        {
            "watch": "w",
            "provider": provider,
            "surface": "app",
            "probe": str(r.probe[i]),
            "line": str(r.line[i]),
            "at": times.text(int(r.at[i])),
            "received": int(r.received[i]) / 1000,
            "outcome": OUTCOMES[r.outcome[i]],
            "method": str(r.method[i]),
            "control": STATES[r.control[i]],
        }
        for i in range(r.at.size)
    ]


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    """The rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_csv_jsonl_and_parquet_give_the_same_answers(tmp_path: Path) -> None:
    """The same rows in three formats, mixed with another provider's, give the same JSON lines."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = records(BLOCKED) + records(FleetSpec(seed=5, cadence=600, length=4 * 86400), "other")
    rows.sort(key=lambda r: (str(r["at"]), str(r["probe"])))
    as_csv = write_csv(tmp_path / "m.csv", rows)
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    runs = [run(as_csv, "--json"), run(tmp_path / "m.jsonl", "--json"), run(tmp_path / "m.parquet", "--json")]
    assert [r.returncode for r in runs] == [0, 0, 0]
    assert runs[0].stdout == runs[1].stdout == runs[2].stdout
    other, prov = (json.loads(line) for line in runs[0].stdout.splitlines())
    assert (other["provider"], other["state"]) == ("other", "reachable")
    assert (prov["state"], prov["onset"]["level"]) == ("blocked", 0.95)
    assert abs(seconds(prov["onset"]["estimate"]) - 2 * 86400) < 600


def test_order_and_deadline_give_compliance(tmp_path: Path) -> None:
    """Dates on the command line are whole days in the time zone, with two readings each."""
    path = write_csv(tmp_path / "m.csv", records(BLOCKED))
    done = run(path, "--json", "--order", "2025-06-16", "--deadline", "2025-06-18", "--tz", "Asia/Ho_Chi_Minh")
    compliance = json.loads(done.stdout)["compliance"]
    order, deadline = compliance["dates"]
    assert [r["by"] for r in order["readings"]] == ["2025-06-15T17:00:00.000Z", "2025-06-16T17:00:00.000Z"]
    assert [r["p"] for r in deadline["readings"]] == [pytest.approx(1, abs=0.01)] * 2
    assert compliance["lag_s"]["earliest"] < compliance["lag_s"]["latest"]


def test_as_of_hides_what_came_later(tmp_path: Path) -> None:
    """Rows received after `--as-of` are not used."""
    path = write_csv(tmp_path / "m.csv", records(BLOCKED))
    done = run(path, "--json", "--as-of", "2025-06-17T00:00:00Z")
    answer = json.loads(done.stdout)
    assert answer["state"] == "reachable"
    assert answer["measurements"] < len(records(BLOCKED))


def test_trace_is_in_order_of_arrival_and_uses_only_earlier_rows(tmp_path: Path) -> None:
    """The trace of the first rows doesn't change when more rows follow."""
    rows = records(BLOCKED)
    whole = run(write_csv(tmp_path / "a.csv", rows), "--trace").stdout.splitlines()
    rows.sort(key=lambda r: float(str(r["received"])))
    half = run(write_csv(tmp_path / "b.csv", rows[: len(rows) // 2]), "--trace").stdout.splitlines()
    assert len(whole) == len(rows)
    assert whole[: len(half)] == half
    received = [json.loads(line)["received"] for line in whole]
    assert received == sorted(received)
    assert json.loads(whole[-1])["score"] > json.loads(half[0])["score"]


def test_curve_rises_to_the_share_that_complied(tmp_path: Path) -> None:
    """One of two providers complies: the curve ends at a half, within its band."""
    rows = records(BLOCKED) + records(FleetSpec(seed=5, cadence=600, length=4 * 86400), "other")
    line = json.loads(run(write_csv(tmp_path / "m.csv", rows), "--curve").stdout)
    assert (line["measured"], line["unmeasured"]) == (2, 0)
    assert line["curve"][0]["share"] < 0.05
    assert line["curve"][-1]["share"] == pytest.approx(0.5, abs=0.05)


def test_sensitivity_names_each_change(tmp_path: Path) -> None:
    """`--sensitivity` adds the answer for each changed assumption."""
    done = run(write_csv(tmp_path / "m.csv", records(BLOCKED)), "--json", "--sensitivity")
    changes = [s["change"] for s in json.loads(done.stdout)["sensitivity"]]
    assert changes[:2] == ["prior odds x 10", "prior odds / 10"]
    assert "clocks not corrected" in changes
    assert sum(c.startswith("without line") for c in changes) == 3


def test_skip_bad_lists_and_counts(tmp_path: Path) -> None:
    """With --skip-bad the other rows are used, and the bad ones are listed."""
    rows = records(BLOCKED)
    path = write_csv(tmp_path / "m.csv", [{**rows[0], "outcome": "?"}, *rows])
    stopped, skipped = run(path, "--json"), run(path, "--json", "--skip-bad")
    assert stopped.returncode == 2
    assert f"{path}:2:outcome" in stopped.stderr
    assert stopped.stdout == ""
    assert skipped.returncode == 0
    assert f"skipped {path}:2:outcome" in skipped.stderr
    assert "skipped in all: 1 rows" in skipped.stderr
    assert json.loads(skipped.stdout)["measurements"] == len(rows)


def test_standard_input_needs_a_format(tmp_path: Path) -> None:
    """`-` is standard input; it needs --format."""
    raw = write_csv(tmp_path / "m.csv", records(BLOCKED)).read_bytes()
    assert json.loads(process("-", "--format", "csv", "--json", stdin=raw).stdout)["state"] == "blocked"
    refused = process("-", stdin=raw)
    assert refused.returncode == 2
    assert "--format" in refused.stderr


def test_missing_column_and_file_are_named(tmp_path: Path) -> None:
    """The errors for a missing column and a missing file name them."""
    path = write_csv(tmp_path / "m.csv", [{"provider": "p", "probe": "a", "at": "1750000000"}])
    assert "outcome" in run(path).stderr
    assert "can't be read" in run(tmp_path / "none.csv").stderr
