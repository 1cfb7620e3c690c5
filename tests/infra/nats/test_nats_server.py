"""What the broker permits a probe, and that port and messages survive a restart."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.nats import nats_server
from probe.base.errors import UserError
from probe.nats.link import connect
from probe.protocol import receipt
from probe.protocol.keys import Key
from tests.support.fake_collector import eventually

CORE, PROBE, OTHER = (Key.create("user") for _ in range(3))


@pytest.fixture
def server(tmp_path):
    """A server with a core user and two probes."""
    with nats_server.running(tmp_path / "nats", core_users=[CORE.id], probes=[PROBE.id, OTHER.id]) as running:
        yield running


@pytest.fixture
async def core(server):
    """The core's connection, with the stream of measurements made and one message of the other probe in it."""
    connection = await connect([server.url], CORE, "core", within_s=10)
    js = (await connection.ready()).jetstream()
    await js.add_stream(name="MEASUREMENTS", subjects=["m.*"], max_bytes=2**20)
    await js.publish(f"m.{OTHER.id}", b"other's")
    yield connection
    await connection.close()


@pytest.fixture
async def probe(server, core):
    """A probe's connection, as a probe makes it."""
    connection = await connect([server.url], PROBE, "probe", inbox_prefix=f"_INBOX_{PROBE.id}", within_s=10)
    yield connection
    await connection.close()


async def messages(core):
    """How many messages the stream holds."""
    js = (await core.ready()).jetstream()
    return (await js.stream_info("MEASUREMENTS")).state.messages


async def subscribe(connection, subject):
    """A list to which the data of every message that arrives on a subject is appended."""
    client, received = await connection.ready(), []

    async def take(message):
        received.append(message.data)

    await client.subscribe(subject, cb=take)
    await client.flush()
    return received


async def test_a_published_segment_is_acknowledged_across_the_accounts(probe, core):
    """A publish reaches the stream although the probe's account has no JetStream."""
    answer = await probe.request(f"m.{PROBE.id}", b"mine", timeout_s=5)
    assert b'"stream":"MEASUREMENTS"' in answer.data
    assert await messages(core) == 2


async def test_receipts_arrive_only_at_the_probe_they_are_for(probe, core):
    """A probe receives its own receipts and none of another probe's.

    On a busy machine it takes the server a moment until a new subscription counts in the core's account.
    """
    received = await subscribe(probe, f"r.{PROBE.id}")
    client = await core.ready()
    for _ in range(100):
        await client.publish(f"r.{PROBE.id}", b"early")
        await client.flush()
        if received:
            break
        await asyncio.sleep(0.1)
    await client.publish(f"r.{PROBE.id}", b"receipt")
    await client.publish(f"r.{OTHER.id}", b"other's receipt")
    await client.flush()
    receipts = lambda: [data for data in received if data != b"early"]  # noqa: E731
    await eventually(receipts)
    assert receipts() == [b"receipt"]


async def test_a_question_is_answered(probe, core):
    """The core receives a probe's request on `q.<probe>` and answers on the probe's inbox.

    On a busy machine it takes the server a moment until a new subscription counts in the probes' account.
    """

    async def answer(message):
        await message.respond(b"about " + message.subject.encode())

    await core.subscribe("q.*", answer)
    await (await core.ready()).flush()
    reply = None
    for _ in range(20):
        with contextlib.suppress(ConnectionError):
            reply = await probe.request(f"q.{PROBE.id}", b"?", timeout_s=5)
            break
        await asyncio.sleep(0.1)
    assert reply is not None
    assert reply.data == f"about q.{PROBE.id}".encode()


@pytest.mark.parametrize(
    "subject",
    [
        f"m.{OTHER.id}", f"q.{OTHER.id}", f"r.{PROBE.id}", f"r.{OTHER.id}", "w.test", "m.*", "anything",
        "$JS.API.INFO", "$JS.API.STREAM.PURGE.MEASUREMENTS", "$SYS.REQ.SERVER.PING",
    ],
)  # fmt: skip
async def test_a_probe_can_publish_nothing_else(probe, core, subject):
    """No answer arrives, and nothing is stored."""
    before = await messages(core)
    with pytest.raises((TimeoutError, ConnectionError)):
        await probe.request(subject, b"{}", timeout_s=0.3)
    assert await messages(core) == before
    assert probe.is_up


@pytest.mark.parametrize(
    "subject", [f"r.{OTHER.id}", "r.*", "m.*", "w.test", "w.>", f"_INBOX_{OTHER.id}.>", "_INBOX.>", ">", "$SYS.>"]
)
async def test_a_probe_receives_nothing_meant_for_others(probe, core, subject):
    """A subscription to any subject but its own receives nothing."""
    received = await subscribe(probe, subject)
    client = await core.ready()
    await client.publish(f"r.{OTHER.id}", b"receipt")
    await client.publish("w.test", b"watch")
    await client.publish(f"_INBOX_{OTHER.id}.1", b"inbox")
    await (await core.ready()).jetstream().publish(f"m.{OTHER.id}", b"segment")
    await client.flush()
    await asyncio.sleep(0.2)
    assert received == []


@pytest.mark.parametrize(
    "reply",
    ["$JS.API.STREAM.PURGE.MEASUREMENTS", "$JS.API.STREAM.DELETE.MEASUREMENTS", f"m.{OTHER.id}", f"q.{OTHER.id}"],
)
async def test_a_reply_subject_reaches_nothing_in_the_core(probe, core, reply):
    """The acknowledgement goes to the reply subject in the probe's own account, where nothing listens on it."""
    requests = await subscribe(core, "q.*")
    client = await probe.ready()
    await client.publish(f"m.{PROBE.id}", b"{}", reply=reply)
    await client.flush()
    await asyncio.sleep(0.2)
    assert await messages(core) == 2
    assert requests == []


async def test_a_reply_subject_sends_another_probe_an_acknowledgement_at_most(server, probe, core):
    """All that reaches another probe's `r.` this way is the server's acknowledgement, which is no signed receipt."""
    other = await connect([server.url], OTHER, "other", inbox_prefix=f"_INBOX_{OTHER.id}", within_s=10)
    received = await subscribe(other, f"r.{OTHER.id}")
    client = await probe.ready()
    await client.publish(f"m.{PROBE.id}", b"chosen bytes", reply=f"r.{OTHER.id}")
    await client.flush()
    await asyncio.sleep(0.2)
    assert received == [b'{"stream":"MEASUREMENTS","seq":2}']
    with pytest.raises(receipt.ReceiptError):
        receipt.open(received[0], Key.create("operator").id)
    await other.close()


async def test_unlisted_keys_and_forged_signatures_are_refused(server):
    """An unlisted key, and a listed id signed with another key, are refused; the listed key itself connects."""
    unlisted, forged = Key.create("user"), Key.create("user")
    forged.id = PROBE.id
    for key in (unlisted, forged):
        with pytest.raises(UserError, match=r"Authorization Violation|reset by peer"):  # the server hangs up at once
            await connect([server.url], key, "refused", within_s=1)
    await (await connect([server.url], PROBE, "itself", within_s=5)).close()


async def test_a_new_probe_can_connect_without_a_restart(server, probe):
    """The server reads the list of probes again, and existing connections stay up."""
    new = Key.create("user")
    nats_server.write_probes(server.config.parent, [PROBE.id, OTHER.id, new.id])
    nats_server.reload(server.pid)
    connection = await connect([server.url], new, "new", within_s=5)
    assert probe.is_up
    await connection.close()


async def test_a_killed_server_comes_back_on_its_port_with_its_messages(server, core):
    """The server keeps the port it picked once, acknowledged messages are on disk, and clients reconnect."""
    url = server.url
    server.kill()
    await eventually(lambda: not core.is_up)
    server.start()
    assert server.url == url
    assert await messages(core) == 1


def test_a_port_in_use_is_reported(tmp_path):
    """The error holds the last line of the server's log and the log's path."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = nats_server.write_config(tmp_path, core_users=[CORE.id], probes=[], port=port)
        with pytest.raises(UserError, match=r"address already in use.*nats-server.log"):
            nats_server.Server(config).start()


@pytest.mark.parametrize("user", ["", "U", PROBE.id.lower(), 'U", permissions: {}', Key.create("operator").id])
def test_nothing_but_keys_gets_into_the_configuration(tmp_path, user):
    """Anything but a user's public key raises an error that shows the value."""
    with pytest.raises(UserError, match="not a user key"):
        nats_server.write_config(tmp_path, core_users=[], probes=[user])


PARENT = """
import sys, pathlib
from infra.nats import nats_server as server
s = server.Server(server.write_config(pathlib.Path(sys.argv[1]), core_users=[], probes=[]))
s.start()
print(s.pid, flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child to its parent")
def test_the_server_ends_with_a_killed_parent(tmp_path):
    """After a kill -9 of the parent process no server is left running."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the server still runs")
