"""What `doctor` reports."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra.nats import nats_server
from probe.home import files, texts
from probe.owner.doctor import report
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support import honest_internet
from tests.support.owned_probe import OPERATOR, probe_config

CORE = Key.create("user")
EN = texts.load("en")


async def test_the_report_has_a_line_for_each_question_and_a_fix_for_each_problem(tmp_path, town, network):
    """A collector that accepts it, one that doesn't know it, one that doesn't exist; each other question once."""
    settings = probe_config(tmp_path)
    own = Key.load(settings.key_file, "user")
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(honest_internet.WATCH.encode(), OPERATOR))
    with (
        nats_server.running(tmp_path / "in", core_users=[CORE.id], probes=[own.id]) as server,
        nats_server.running(tmp_path / "out", core_users=[CORE.id], probes=[Key.create("user").id]) as other,
    ):
        settings = msgspec.structs.replace(settings, nats=(server.url, other.url, "nats://127.0.0.1:1"))
        lines = await report._examine(settings, EN, network)
    by = {ln.question: ln for ln in lines}
    assert by[f"collector {server.url}"].mark == "ok"
    assert "does not know this probe's key" in by[f"collector {other.url}"].says
    assert own.id in by[f"collector {other.url}"].fix
    assert by["collector nats://127.0.0.1:1"].mark == "bad"
    assert {"version", "clock", "disk", "watch", "key", "ipv6", "vpn", "resolver", "dns", "tls"} <= set(by)
    assert (by["dns"].mark, by["tls"].mark) == ("ok", "ok")
    assert all(ln.fix for ln in lines if ln.mark == "bad")
    assert report.worst([by["dns"], by[f"collector {server.url}"], by[f"collector {other.url}"]]) == 0
    assert report.worst([by[f"collector {other.url}"]]) == 1


async def test_the_doctor_contacts_nothing_while_paused(tmp_path, dialer, network):
    """Not even the control."""
    settings = probe_config(tmp_path)
    (Path(settings.data) / files.PAUSED).write_bytes(b'{"until_ms":null}')
    lines = await report._examine(settings, EN, network)
    assert "paused" in lines[-1].says
    assert dialer.dialed == []
