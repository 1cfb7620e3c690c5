"""The digest of an input: the same rows and parameters give the same digest, in whatever order the rows came."""

from __future__ import annotations

import hashlib

import numpy as np

from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows


def digest(rows: Rows, parameters: Parameters) -> str:
    """BLAKE2b-128 over the rows, sorted, and the repr of the parameters; hex."""
    (probes, probe), (lines, line), (methods, method) = rows.probes, rows.lines, rows.methods
    order = np.argsort(rows.at, kind="stable")
    if (np.diff(rows.at[order]) == 0).any():
        order = np.lexsort((
            rows.speed, rows.share_failed, rows.reference, rows.control, rows.outcome, method, line,
            rows.received, probe, rows.at,
        ))  # fmt: skip
    h = hashlib.blake2b(digest_size=16)
    h.update(repr((rows.watch, rows.provider, rows.surface, probes, lines, methods, parameters)).encode())
    for column in (probe, line, method, rows.at, rows.received):
        h.update(column[order].astype("<i8").tobytes())
    for code in (rows.outcome, rows.control, rows.reference):
        h.update(code[order].astype("i1").tobytes())
    for share in (rows.share_failed, rows.speed):
        plain = np.where(np.isnan(share), -1.0, share) + 0.0
        h.update(plain[order].astype("<f8").tobytes())
    return h.hexdigest()
