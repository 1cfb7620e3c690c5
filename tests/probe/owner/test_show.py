"""`show` decodes what was sent."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody.spool import Spool
from probe.home import files
from probe.owner import show
from probe.protocol import envelope
from probe.protocol.keys import Key
from tests.support.factory import app_run
from tests.support.owned_probe import probe_config


async def test_show_decodes_every_byte_of_what_was_sent(tmp_path):
    """The ranges cover all bytes without gaps, and the contents are the run."""
    settings = probe_config(tmp_path)
    with pytest.raises(UserError, match="nothing was sent"):
        show.raw(settings)
    spool, run = Spool(settings.spool_file), app_run(2)
    spool.add(run)
    (sealed,) = spool.seal_due(Key.load(settings.key_file, "user"), now_ms(), 0)
    spool.close()
    data = show.raw(settings)
    assert data == sealed.raw
    found = show.byte_ranges(data)
    assert [p.start for p in found] == [0, *(p.end for p in found[:-1])]
    assert found[-1].end == len(data)
    assert show.contents(data)["measurements"] == json.loads(msgspec.json.encode(run))
    (Path(settings.data) / files.LAST_SEGMENT).write_bytes(data[:-1] + b"x")
    with pytest.raises(UserError, match="can't be opened"):
        show.byte_ranges(show.raw(settings))
    assert envelope.HEADER == 100
