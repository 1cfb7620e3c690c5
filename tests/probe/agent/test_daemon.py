"""A probe on somebody's line: it tells its owner everything, stops when told, and stops by itself when it should."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from infra.nats import nats_server
from probe import panic
from probe.agent import agent
from probe.base.errors import UserError
from probe.custody import watch_renewal
from probe.custody import watch_renewal as renewal
from probe.custody.spool import Spool, SpoolError, read_ledger
from probe.home import files, notebook, texts
from probe.home.config import Config, VantageConfig
from probe.owner import ask_network, show, status
from probe.owner.doctor import questions, report
from probe.place import metered, this_network
from probe.place.this_network import Here
from probe.protocol import envelope, watch_file
from probe.protocol.keys import Key
from tests.support.fake_collector import WATCH, eventually, now_ms, run_of
from tests.support.servers import MappedDialer, refusing

ROOT = Path(__file__).parents[3]
CORE, OPERATOR = Key.create("user"), Key.create("operator")
EN = texts.load("en")
DAY_MS = 86_400_000


def config(tmp_path, **settings):
    """A probe's configuration, its key and its signed watch in place."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(WATCH.format(cadence_s=600).encode(), OPERATOR))
    made = Config(
        data=str(tmp_path / "probe"), watch=str(tmp_path / "watch.signed"), operator=OPERATOR.id,
        **({"nats": ("nats://127.0.0.1:1",), "flush_s": 0.2, "vantage": VantageConfig(asn=64500)} | settings),
    )  # fmt: skip
    Key.load_or_create(made.key_file, "user")
    return made


def write(tmp_path, settings):
    """The same as a file."""
    file = tmp_path / "probe.toml"
    file.write_text(
        f'data = "{settings.data}"\nwatch = "{settings.watch}"\nnats = {json.dumps(settings.nats)}\n'
        f'operator = "{settings.operator}"\nflush_s = 0.2\nmetered = "yes"\n[vantage]\nasn = 64500\n'
    )
    return file


def watch_of(settings):
    """The watch of a configuration."""
    return watch_renewal.signed_watch(Path(settings.watch), settings.operator)


@contextlib.contextmanager
def started(file):
    """`blockonset probe run` in a process of its own. Its connection is metered: it contacts nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "probe", "run", "--config", str(file)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert json.loads(process.stdout.readline()).keys() == {"probe"}
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


async def test_panic_stops_a_running_probe_and_leaves_nothing(tmp_path):
    """It is found by its lock, killed without a last delivery, and all of its files are gone."""
    settings = config(tmp_path)
    directory = Path(settings.data)
    with started(write(tmp_path, settings)) as process:
        await eventually(lambda: panic.running(directory) == process.pid, 20)
        did = panic.panic(directory)
        assert process.wait(5) == -signal.SIGKILL
    assert (did.pid, did.stopped, did.failed, did.left) == (process.pid, True, (), ())
    assert panic.panic(directory).files == ()


def test_a_number_left_behind_harms_nobody(tmp_path):
    """The lock's file names a process that is alive and not ours: without the lock it isn't touched."""
    (tmp_path / "spool.lock").write_text(str(os.getpid()))
    assert panic.running(tmp_path) == 0
    assert panic.panic(tmp_path).pid == 0


def _words_of(pid):
    """A process's command line, where /proc tells it."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_text() if file.exists() else "probe.agent.daemon"


async def test_run_turns_into_a_process_without_the_libraries_of_the_command_line(tmp_path):
    """Rich and cyclopts cost 8 MB; SIGTERM ends it with 0; status knows its number and why it waits."""
    settings = config(tmp_path)
    with started(write(tmp_path, settings)) as process:
        await eventually(lambda: panic.running(Path(settings.data)), 20)
        assert "probe.agent.daemon" in _words_of(process.pid)
        found = await eventually(
            lambda: (s := status.status(settings, watch_of(settings), ask_api=False)).next_run and s, 20
        )
        assert found.pid == process.pid
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert status.status(settings, None).pid is None


def test_a_light_import():
    """The measuring process loads no library of the aggregator, the dashboard or the command line."""
    code = "import sys; sys.modules['rich'] = None; import probe.agent.daemon, probe.agent.agent;"
    code += "print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for heavy in ("cyclopts", "rich.console", "aiohttp", "numpy", "clickhouse_connect", "litestar", "nats.aio.client"):
        assert f"'{heavy}'" not in out


@contextlib.contextmanager
def api(answer):
    """A public API that says one thing, and the paths it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_status_says_how_many_lines_are_behind_the_answer(tmp_path, capsys):
    """Computed here: everybody's answers are asked for, and nothing in the request says whose."""
    answer = {"providers": [
        {"provider": "test-fixed", "name": "Test", "answer": {"lines": 3, "state": "blocked", "more": 1}},
        {"provider": "other", "name": "Other", "answer": None},
    ]}  # fmt: skip
    with api(answer) as (url, asked):
        settings = config(tmp_path, api=url)
        found = status.status(settings, watch_of(settings))
        silent = status.status(settings, watch_of(settings), ask_api=False)
    assert "Test: your line is one of the 3 lines that this answer is based on: blocked." in status.words(found, EN)
    assert asked[0][0] == "/v1/watches/test/onsets"
    assert Key.load(settings.key_file, "user").id not in str(asked)
    assert silent.behind == ()
    assert len(asked) == 1
    unreached = status.status(msgspec.structs.replace(settings, api="http://127.0.0.1:1"), watch_of(settings))
    assert any("was not looked up" in line for line in status.words(unreached, EN))
    assert msgspec.json.decode(msgspec.json.encode(found))["spooled_segments"] == 0


async def test_show_decodes_every_byte_of_what_was_sent(tmp_path):
    """The parts follow one another without a gap from first to last byte, and the contents are the run."""
    settings = config(tmp_path)
    with pytest.raises(UserError, match="nothing was sent"):
        show.raw(settings)
    spool, run = Spool(settings.spool_file), run_of(2)
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


async def test_the_doctor_has_a_line_and_a_fix_for_everything(tmp_path, town, network):
    """A collector that lets it in, one that doesn't know it, one that isn't there; each other question once."""
    settings = config(tmp_path)
    own = Key.load(settings.key_file, "user")
    (tmp_path / "watch.signed").write_bytes(watch_file.sign(_text_of(town), OPERATOR))
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
    """A pause is a pause."""
    settings = config(tmp_path)
    (Path(settings.data) / files.PAUSED).write_bytes(b'{"until_ms":null}')
    lines = await report._examine(settings, EN, network)
    assert "paused" in lines[-1].says
    assert dialer.dialed == []


def test_the_clock_is_compared_with_the_receipts_or_the_api_or_is_said_to_be_unknown(tmp_path, monkeypatch):
    """A clock that nobody compared is not called right."""
    settings = config(tmp_path)
    found = questions.clock(settings)
    assert (found.mark, found.says) == ("note", "clock_never")
    notebook.Notebook(Path(settings.data)).note(clock_offset_ms=7_200_000, clock_compared_ms=now_ms())
    assert (questions.clock(settings).mark, questions.clock(settings).values["seconds"]) == ("bad", "7200.0")
    with api({"providers": []}) as (url, _):
        settings = msgspec.structs.replace(settings, api=url)
        about, offset_ms = questions.api(settings, watch_of(settings))
        assert (about.mark, abs(offset_ms) < 5000) == ("ok", True)
        assert questions.clock(settings, offset_ms).mark != "bad"
        monkeypatch.setattr(questions, "now_ms", lambda: now_ms() + 3_600_000)
        _, offset_ms = questions.api(settings, watch_of(settings))
    line = report._line(EN, questions.clock(settings, offset_ms))
    assert line.mark == "bad"
    assert "according to the operator's API" in line.says
    assert line.fix


def test_an_expired_or_renewed_watch_is_told_by_doctor_and_status(tmp_path):
    """Expired, it is something to do; renewed, the newer one counts."""
    settings = config(tmp_path)
    text = WATCH.format(cadence_s=600)
    Path(settings.watch).write_bytes(watch_file.sign(text.replace("2099-01-01", "2025-01-01").encode(), OPERATOR))
    watch, found = questions.watch(settings)
    assert (watch, found.mark, found.values["expires"]) == (None, "bad", "2025-01-01")
    about = status.status(settings, renewal.present(settings), ask_api=False)
    assert "expired on 2025-01-01" in "\n".join(status.words(about, EN))
    (Path(settings.data) / files.RENEWED).write_bytes(watch_file.sign(text.encode(), OPERATOR))
    watch, found = questions.watch(settings)
    assert (watch.expires, found.mark) == ("2099-01-01", "ok")
    assert "valid until 2099-01-01" in "\n".join(status.words(status.status(settings, watch), EN))


def test_doctor_says_what_is_known_of_the_network_and_its_number(tmp_path, monkeypatch):
    """New, answered, not to be told apart; the number configured, seen, to be asked, unknown."""
    settings = config(tmp_path, vantage=VantageConfig())
    home = Here("wlan0", "192.168.1.1", "02:00:5e:10:20:30", 0)
    monkeypatch.setattr(this_network, "here", lambda asn=0: home)

    def says(settings=settings):
        lines = [report._line(EN, found) for found in questions.place(settings)]
        assert all(ln.fix for ln in lines if ln.mark == "bad")
        return [(ln.mark, ln.says.split(":")[0]) for ln in lines]

    assert says() == [
        ("note", "you have not said what kind of network this is"),
        ("bad", "the network's number is not known"),
    ]
    ask_network.of(Path(settings.data)).remember(home, ask_network.declared("unknown", "unknown"))
    assert says()[0] == ("ok", "unknown, unknown")
    ask_network.of(Path(settings.data)).remember(home, ask_network.declared("fixed", "work"))
    notebook.Notebook(Path(settings.data)).note(asn=64500)
    assert says() == [("ok", "fixed, work"), ("ok", "AS64500 (as the last run saw it)")]
    monkeypatch.setattr(this_network, "here", lambda asn=0: Here("", "", "", 0))
    assert says()[0] == (
        "note",
        "this machine can't tell networks apart; what the configuration says applies to all of them",
    )
    said = VantageConfig(asn=64501, access="mobile", line_kind="hotspot")
    assert says(msgspec.structs.replace(settings, vantage=said)) == [
        ("ok", "mobile, hotspot"),
        ("ok", "AS64501 (by the configuration)"),
    ]


def test_status_tells_of_a_new_network_while_the_probe_runs(tmp_path, monkeypatch):
    """With the command that answers."""
    settings = config(tmp_path)
    notebook.Notebook(Path(settings.data)).note(network_is_new=True)
    monkeypatch.setattr(panic, "running", lambda _: 4711)
    found = status.status(settings, watch_of(settings), ask_api=False)
    assert found.network_is_new
    assert "blockonset probe network" in "\n".join(status.words(found, EN))


def _text_of(town):
    from tests.support import honest_internet

    assert town.watch
    return honest_internet.WATCH.encode()


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        ("GENERAL.STATE:100 (connected)\nGENERAL.METERED:yes (guessed)\n", True),
        (
            "GENERAL.STATE:100 (connected)\nGENERAL.METERED:no\n\nGENERAL.STATE:30 (disconnected)\nGENERAL.METERED:yes",
            False,
        ),
        ("GENERAL.STATE:100 (connected)\nGENERAL.METERED:unknown\n", False),
        ("", False),
    ],
)
def test_what_networkmanager_says_is_understood(said, is_it):
    """Only a device in use counts."""
    assert metered.any_metered(said) is is_it


@pytest.fixture
def network_of_nothing(authority):
    """A network that reaches nothing."""
    from probe.net.network import Network

    with refusing() as port:
        yield Network(MappedDialer(resolver=port), authority.file)


async def why_not(settings, network, prepare=lambda spool: None):
    """Why a probe would not measure now."""
    probe, spool = agent.Probe(settings, network, watch_of(settings)), Spool(settings.spool_file)
    try:
        prepare(spool)
        return await probe._why_not(spool)
    finally:
        spool.close()


async def test_it_stops_by_itself_on_metered_lines_old_spools_and_at_the_cap(tmp_path, network_of_nothing):
    """And not otherwise; nothing unsent is dropped."""

    def old(days):
        def prepare(spool):
            spool.add(run_of(1))
            spool.seal_due(Key.create("user"), now_ms() - days * DAY_MS, 0)

        return prepare

    network = network_of_nothing
    assert await why_not(config(tmp_path / "a", metered="no"), network) == ""
    assert "metered" in await why_not(config(tmp_path / "b", metered="yes"), network)
    assert await why_not(config(tmp_path / "c", metered="no"), network, old(29)) == ""
    settings = config(tmp_path / "d", metered="no")
    assert "30 days" in await why_not(settings, network, old(31))
    assert [e.state for e in read_ledger(settings.spool_file)] == ["spooled"]
    capped = config(tmp_path / "e", metered="no", monthly_mb=1)
    assert "1 MB" in await why_not(capped, network, lambda s: s.add_traffic(1_000_000, now_ms()))


def _until_refused(spool):
    for _ in range(400):
        spool.add(run_of(40))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount")
def test_a_really_full_disk_refuses_a_run_and_keeps_the_unsent(tmp_path):
    """A file system of 1 MB: what was sealed stays whole, the refusal says what to do, and room heals it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=False).returncode:
        pytest.skip("this root may not mount")
    try:
        spool, key = Spool(disk / "spool.db"), Key.create("user")
        ballast = disk / "ballast"
        for _ in range(5):
            spool.add(run_of(40))
            spool.seal_due(key, now_ms(), 0)
        ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - 60_000))
        with pytest.raises(SpoolError, match="make room"):
            _until_refused(spool)
        assert len(spool.unsent()) >= 5
        ballast.unlink()
        spool.add(run_of(1))
        spool.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_runs_are_counted_for_status_and_a_pause_holds_them(tmp_path, network_of_nothing):
    """Paused, it makes no run; resumed, it goes on at its next turn."""
    settings = config(tmp_path, metered="no", deliver_every_s=600)
    watch = msgspec.structs.replace(watch_of(settings), cadence_s=0.3)
    directory, stop = Path(settings.data), asyncio.Event()
    probe = agent.Probe(settings, network_of_nothing, watch)
    running = asyncio.create_task(probe.run(stop))
    await eventually(lambda: notebook.read(directory).runs >= 2)
    (directory / files.PAUSED).write_bytes(b'{"until_ms":null}')
    await eventually(lambda: "paused" in notebook.read(directory).why_not)
    before = notebook.read(directory).runs
    await asyncio.sleep(0.8)
    assert notebook.read(directory).runs == before
    (directory / files.PAUSED).unlink()
    await eventually(lambda: notebook.read(directory).runs > before)
    stop.set()
    await running
    assert time.time() * 1000 - notebook.read(directory).last_run_ms < 5000
