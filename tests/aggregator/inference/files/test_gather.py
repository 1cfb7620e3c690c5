"""Many providers in one file, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aggregator.inference.files import gather
from aggregator.inference.files.fields import FileRow

ROOT = Path(__file__).parents[4]


def rows(providers: int, each: int) -> Iterator[FileRow]:
    """Rows of many providers, interleaved."""
    for i in range(providers * each):
        p = i % providers
        yield FileRow("w", f"p{p}", "", f"probe{p}", f"line{p}", i, i + 1, i % 3, "", 0.5, float("nan"), 0, 2)


def test_groups_come_back_whole_and_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interleaved rows of many providers, over many blocks and on disk, come back separated by provider."""
    monkeypatch.setattr(gather, "BLOCK", 100)
    monkeypatch.setattr(gather, "IN_MEMORY", 1000)
    groups = list(gather.GatheredRows(rows(7, 150)))
    assert [r.provider for r in groups] == sorted(f"p{i}" for i in range(7))
    for r in groups:
        number = int(r.provider[1:])
        assert r.at.tolist() == list(range(number, 7 * 150, 7))
        assert set(r.probe.tolist()) == {f"probe{number}"}
        assert np.array_equal(r.received, r.at + 1)


def test_five_thousand_providers_fit_in_little_memory() -> None:
    """5,000 providers with interleaved rows are gathered and read back in well under 500 MB."""
    # On Linux getrusage also counts the peak of the parent before exec, here of pytest with all that it has loaded.
    program = (
        "import re, resource\n"
        "from pathlib import Path\n"
        "from aggregator.inference.files.gather import GatheredRows\n"
        "from tests.aggregator.inference.files.test_gather import rows\n"
        "n = sum(r.at.size for r in GatheredRows(rows(5000, 60)))\n"
        "own = Path('/proc/self/status')\n"
        "high = re.search(r'VmHWM:\\s+(\\d+) kB', own.read_text())[1] if own.exists() else 0\n"
        "print(n, high or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    count, peak = map(int, done.stdout.split())
    assert count == 300_000
    bytes_each = 1 if sys.platform == "darwin" else 1024
    assert peak * bytes_each < 500 << 20
