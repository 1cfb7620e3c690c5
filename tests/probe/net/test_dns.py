"""What a DNS server can do to a query, over real sockets."""

from __future__ import annotations

import socket

import pytest

from tests.probe.conftest import LIMIT, PATIENT
from tests.support import servers
from tests.support.servers import answer

HOST = "service.example"
TRUE = ("198.51.100.7", "198.51.100.8")
FORGED = "203.0.113.66"


@pytest.fixture
def resolve(network, dialer, clock):
    """A function that asks a loopback resolver over UDP."""

    async def ask(replies, limit=PATIENT):
        if replies is None:  # the test has started a resolver itself
            return await network.resolve(HOST, limit=limit, clock=clock)
        async with servers.dns_udp(replies) as dialer.resolver:
            return await network.resolve(HOST, limit=limit, clock=clock)

    return ask


@pytest.fixture
def resolve_second(network, dialer, clock):
    """A function that asks a loopback resolver over TCP."""

    async def ask(handler):
        limit = LIMIT if handler is servers.silent else PATIENT
        async with servers.tcp(handler) as dialer.ports["198.51.100.53", 53]:
            return await network.resolve_second(HOST, ("198.51.100.53", 53), limit=limit, clock=clock)

    return ask


async def test_a_true_answer(resolve):
    """The step has sorted addresses and one reply, with its time and the least TTL."""
    step = await resolve(lambda q: [(0.0, answer(q, *reversed(TRUE), ttl=33))])
    assert (step.op, step.via, step.failure, step.rcode, step.answers) == ("resolve", "system", None, 0, TRUE)
    (reply,) = step.replies
    assert (reply.answers, reply.ttl) == (TRUE, 33)
    assert 0 < reply.ms < PATIENT * 1000
    assert step.address == ""
    assert step.sent == len(HOST) + 18


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        (2, "dns_servfail_error"),
        (3, "dns_nxdomain_error"),
        (5, "dns_refused_error"),
        (4, "dns_server_misbehaving"),
        (0, "dns_no_answer"),
    ],
)
async def test_a_reply_without_addresses_is_a_failure_named_by_its_code(resolve, rcode, failure):
    """The reply is recorded too."""
    step = await resolve(lambda q: [(0.0, answer(q, rcode=rcode))])
    assert (step.failure, step.rcode, len(step.replies)) == (failure, rcode, 1)


async def test_an_injected_reply_is_recorded_beside_the_true_one(resolve):
    """In order of arrival; the first one counts, as it does for a stub resolver."""
    step = await resolve(lambda q: [(0.0, answer(q, FORGED)), (0.05, answer(q, *TRUE))])
    assert step.answers == (FORGED,)
    assert [r.answers for r in step.replies] == [(FORGED,), TRUE]
    assert step.replies[1].ms >= step.replies[0].ms + 40


async def test_an_injected_nxdomain_is_a_failure_though_the_truth_came_later(resolve):
    """A stub resolver would have used it."""
    step = await resolve(lambda q: [(0.0, answer(q, rcode=3)), (0.03, answer(q, *TRUE))])
    assert step.failure == "dns_nxdomain_error"
    assert [r.rcode for r in step.replies] == [3, 0]


async def test_a_private_address_is_a_failure(resolve):
    """The answer is recorded too."""
    step = await resolve(lambda q: [(0.0, answer(q, "10.10.34.34"))])
    assert (step.failure, step.answers) == ("dns_bogon_error", ("10.10.34.34",))


async def test_silence_is_a_timeout(resolve):
    """The query was sent six times by then."""
    queries = []
    step = await resolve(lambda q: queries.append(q) or [], LIMIT)
    assert (step.failure, step.rcode, step.replies) == ("generic_timeout_error", None, ())
    assert len(queries) == 6
    assert LIMIT * 1000 <= step.end_ms - step.start_ms < LIMIT * 2000


async def test_one_lost_datagram_is_no_failure(resolve):
    """The second query is answered; that is one reply."""
    queries = []
    step = await resolve(lambda q: queries.append(q) or ([(0.0, answer(q, *TRUE))] if len(queries) == 2 else []), LIMIT)
    assert step.failure is None
    assert len(step.replies) == 1


async def test_replies_to_two_queries_are_no_injection(resolve):
    """A slow resolver may answer each of them, and differently."""
    step = await resolve(lambda q: [(LIMIT * 0.6, answer(q, TRUE[len(q) % 2]))], LIMIT)
    assert step.failure is None
    assert len(step.replies) == 1


async def test_a_reply_with_a_wrong_id_is_not_used(resolve):
    """Somebody is guessing ids."""
    step = await resolve(lambda q: [(0.0, answer(q, FORGED, shift=1))], LIMIT)
    assert (step.failure, step.replies) == ("dns_reply_with_wrong_query_id", ())


async def test_a_true_reply_after_one_with_a_wrong_id_is_used(resolve):
    """The socket stays open."""
    step = await resolve(lambda q: [(0.0, answer(q, FORGED, shift=1)), (0.02, answer(q, *TRUE))])
    assert (step.failure, step.answers) == (None, TRUE)


@pytest.mark.parametrize("junk", [b"\0", b"junk that is no message at all"])
async def test_junk_is_a_misbehaving_server(resolve, junk):
    """It raises no exception."""
    step = await resolve(lambda _: [(0.0, junk)], LIMIT)
    assert step.failure in ("dns_server_misbehaving", "dns_reply_with_wrong_query_id")


async def test_a_resolver_that_is_not_running_is_refused(network, dialer, clock):
    """By ICMP, at once on loopback."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((servers.LOOPBACK, 0))
        dialer.resolver = sock.getsockname()[1]
    step = await network.resolve(HOST, limit=LIMIT, clock=clock)
    assert step.failure == "connection_refused"


async def test_the_second_resolver_answers_over_tcp(resolve_second):
    """The step has the same facts."""
    step = await resolve_second(servers.dns_tcp(lambda q: answer(q, *TRUE)))
    assert (step.op, step.via, step.failure, step.answers, len(step.replies)) == ("resolve", "second", None, TRUE, 1)


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.dns_tcp(lambda q: answer(q, rcode=3)), "dns_nxdomain_error"),
        (servers.dns_tcp(lambda q: answer(q, FORGED, shift=1)), "dns_reply_with_wrong_query_id"),
        (servers.dns_tcp(lambda _: b"junk"), "dns_server_misbehaving"),
        (servers.resets_after_reading, "connection_reset"),
        (servers.ends_after_reading, "eof_error"),
        (servers.silent, "generic_timeout_error"),
    ],
)
async def test_each_failure_of_the_second_resolver_has_its_name(resolve_second, handler, failure):
    """In the reply, or of the connection."""
    assert (await resolve_second(handler)).failure == failure


async def test_a_second_resolver_with_a_closed_port_is_refused(network, dialer, clock):
    """The connection is part of the resolve step."""
    with servers.refusing() as dialer.ports["198.51.100.53", 53]:
        step = await network.resolve_second(HOST, ("198.51.100.53", 53), limit=LIMIT, clock=clock)
    assert step.failure == "connection_refused"


async def test_after_a_truncated_reply_it_is_asked_again_over_tcp(resolve, dialer):
    """The whole reply is the only one recorded."""
    cut_replies = lambda q: [(0.0, answer(q, TRUE[0], truncated=True))]  # noqa: E731
    over_tcp = servers.dns_tcp(lambda q: answer(q, *TRUE))
    async with servers.dns_udp_and_tcp(cut_replies, over_tcp) as dialer.resolver:
        step = await resolve(None)
    assert (step.failure, step.answers) == (None, TRUE)
    assert [r.answers for r in step.replies] == [TRUE]


async def test_without_tcp_the_truncated_reply_is_used(resolve):
    """Many home routers don't answer over TCP."""
    step = await resolve(lambda q: [(0.0, answer(q, TRUE[0], truncated=True))])
    assert (step.failure, step.answers) == (None, TRUE[:1])


async def test_ipv6_addresses_are_asked_for_with_their_own_type(network, dialer, clock):
    """Of a name with both families, only those are in the answer."""
    async with servers.dns_udp(lambda q: [(0.0, answer(q, *TRUE, "2001:db8:f::7"))]) as dialer.resolver:
        step = await network.resolve(HOST, limit=PATIENT, clock=clock, family=6)
    assert (step.via, step.answers, step.failure) == ("system6", ("2001:db8:f::7",), None)
