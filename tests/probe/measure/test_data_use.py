"""The projected use of data."""

from __future__ import annotations

import msgspec
import pytest

from probe.measure import data_use, registry
from probe.measure.checks.http3 import QUIC
from probe.protocol import watch_file
from tests.support import honest_internet
from tests.support.factory import APP_WATCH


def test_the_projection_grows_with_the_cadence_and_counts_sweeps():
    """Twice as often takes about twice as much; a sweep takes more than a light run."""

    def of(cadence_s):
        return data_use.of(watch_file.read(APP_WATCH.format(cadence_s=cadence_s).encode(), "test"), 1800)

    assert 1.7 < (of(300).day - 48 * 7500) / (of(600).day - 48 * 7500) < 2.1
    assert of(600).sweep >= of(600).round
    assert of(600).rounds_a_day + of(600).sweeps_a_day == pytest.approx(144)


def test_the_projection_counts_quic_where_it_is_available():
    """In sweeps alone: the name, the control and the contrast if there is one."""
    watch = msgspec.structs.replace(watch_file.read(honest_internet.WATCH.encode(), "test"), cadence_s=600.0)
    checks = registry.checks()
    without, with_it = (data_use.of(watch, 1800, [c for c in checks if c.name not in out]) for out in (["http3"], []))
    assert with_it.round == without.round
    assert with_it.sweep - without.sweep == 3 * QUIC
    assert with_it.day - without.day == pytest.approx(4 * 3 * QUIC, abs=1)
