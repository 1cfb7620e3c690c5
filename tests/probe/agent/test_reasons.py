"""What keeps a probe from measuring."""

from __future__ import annotations

from probe.agent import reasons
from probe.base.clock import now_ms
from probe.custody.spool import Spool, read_ledger
from probe.protocol.keys import Key
from tests.support.factory import app_run
from tests.support.owned_probe import probe_config, watch_of

DAY_MS = 86_400_000


async def why_not(settings, prepare=lambda spool: None):
    """The reason why a probe does not measure now."""
    spool = Spool(settings.spool_file)
    try:
        prepare(spool)
        return await reasons.why_not(settings, watch_of(settings), spool)
    finally:
        spool.close()


async def test_it_does_not_measure_on_metered_lines_with_old_spools_or_at_the_cap(tmp_path):
    """Otherwise it measures. Nothing unsent is dropped."""

    def old(days):
        def prepare(spool):
            spool.add(app_run(1))
            spool.seal_due(Key.create("user"), now_ms() - days * DAY_MS, 0)

        return prepare

    assert await why_not(probe_config(tmp_path / "a", metered="no")) == ""
    assert "metered" in await why_not(probe_config(tmp_path / "b", metered="yes"))
    assert await why_not(probe_config(tmp_path / "c", metered="no"), old(29)) == ""
    settings = probe_config(tmp_path / "d", metered="no")
    assert "30 days" in await why_not(settings, old(31))
    assert [e.state for e in read_ledger(settings.spool_file)] == ["spooled"]
    capped = probe_config(tmp_path / "e", metered="no", monthly_mb=1)
    assert "1 MB" in await why_not(capped, lambda s: s.add_traffic(1_000_000, now_ms()))
