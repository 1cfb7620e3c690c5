"""The digest of an input."""

from __future__ import annotations

import dataclasses

import numpy as np

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import FleetSpec, make

LAB = Parameters(cadence_s=2.0, lag_s=2.0)


def test_digest_depends_on_rows_and_parameters() -> None:
    """Another row or another parameter gives another digest."""
    rows = make(FleetSpec())
    changed = dataclasses.replace(rows, outcome=np.roll(rows.outcome, 1))
    digests = {infer(rows, LAB).input_digest, infer(changed, LAB).input_digest}
    assert len(digests | {infer(rows, Parameters(cadence_s=2.0, lag_s=3.0)).input_digest}) == 3
