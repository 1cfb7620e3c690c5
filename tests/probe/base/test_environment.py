"""A variable with our prefix that nothing reads is refused, with the right name where there is one."""

import pytest

from probe.base import environment
from probe.base.errors import UserError

PARTS = ("aggregator", "lab", "probe")
PROBE = ("BLOCKONSET_PROBE_NATS", "BLOCKONSET_PROBE_VANTAGE_ASN", "BLOCKONSET_PROBE_WATCH")
AGGREGATOR = ("BLOCKONSET_AGGREGATOR_NATS", "BLOCKONSET_AGGREGATOR_WATCH", "BLOCKONSET_AGGREGATOR_KEY")


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("BLOCKONSET_PROBE_NAT", PROBE, "did you mean BLOCKONSET_PROBE_NATS?"),
        ("BLOCKONSET_NATS", PROBE, "did you mean BLOCKONSET_PROBE_NATS?"),
        ("BLOCKONSET_NATS", AGGREGATOR, "did you mean BLOCKONSET_AGGREGATOR_NATS?"),
        ("BLOCKONSET_WATCH", PROBE + AGGREGATOR, "did you mean BLOCKONSET_PROBE_WATCH or BLOCKONSET_AGGREGATOR_WATCH?"),
        ("BLOCKONSET_VANTAGE_ASN", PROBE, "did you mean BLOCKONSET_PROBE_VANTAGE_ASN?"),
        ("BLOCKONSET_LGO", (), "did you mean BLOCKONSET_LOG?"),
        ("BLOCKONSET_NATS", (), "BLOCKONSET_PROBE_NATS or BLOCKONSET_AGGREGATOR_NATS"),
        ("BLOCKONSET_AGGREGATOR_NAT", PROBE + AGGREGATOR, "did you mean BLOCKONSET_AGGREGATOR_NATS?"),
    ],
)
def test_it_is_named_with_the_right_one(name, known, hint):
    """An old name, and one that is misspelt."""
    with pytest.raises(UserError) as refused:
        environment.check({"PATH": "/bin", name: "1"}, PARTS, known)
    assert refused.value.message.startswith(f"unknown variable {name} in the environment: ")
    assert hint in refused.value.message


def test_what_is_read_and_what_another_part_may_read_is_accepted():
    """A part can't list the variables of the others."""
    given = {"BLOCKONSET_LOG": "debug", "BLOCKONSET_PROBE_NATS": "x", "BLOCKONSET_AGGREGATOR_NAT": "x", "OTHER": "1"}
    environment.check(given, PARTS, PROBE)
    environment.check({**given, "BLOCKONSET_PROBE_ANY": "x"}, PARTS)
