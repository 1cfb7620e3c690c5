"""What intercepts TLS on the line is recognised by its certificate's issuer, whether this machine trusts it or not."""

from __future__ import annotations

import pytest

from infra.lab.servers.authority import Authority
from probe.home import texts
from probe.net.network import Network
from probe.owner.doctor import questions, tls_interception
from tests.support import servers
from tests.support.honest_internet import CONTROL, CONTROL_ADDRESS
from tests.support.servers import refusing

EN = texts.load("en")
# The issuers, from the products' own documentation and from their users' questions.
ISSUERS = {
    "Avast Web/Mail Shield Root": "web/mail shield",
    "AVG Web/Mail Shield Root": "web/mail shield",
    "Kaspersky Anti-Virus Personal Root Certificate": "kaspersky",
    "ESET SSL Filter CA": "eset ssl filter",
    "Bitdefender CA SSL": "bitdefender",
    "Zscaler Intermediate Root CA (zscaler.net)": "zscaler",
    "FortiGate CA": "fortigate",
    "AdGuard Personal CA": "adguard",
    "DO_NOT_TRUST_FiddlerRoot": "fiddler",
    "Gateway CA - Cloudflare Managed G1": "gateway ca - cloudflare",
}


@pytest.mark.parametrize(("issuer", "word"), ISSUERS.items())
async def test_a_product_that_this_machine_trusts_is_recognised_by_its_name(tmp_path, town, dialer, issuer, word):
    """A real handshake: the certificate has the right name and verifies, but is not the site's own."""
    product = Authority(tmp_path, issuer)
    await town.put(CONTROL_ADDRESS, 443, servers.keeps_open, product.issue(CONTROL))
    found = await questions.interception(town.watch, Network(dialer, product.file))
    assert (found.mark, found.values["failure"]) == ("bad", word)
    assert EN.text("doctor", found.fix)


async def test_a_product_is_recognised_by_an_intermediate_certificate(tmp_path, town, dialer):
    """Here not the leaf's issuer names the product, but that certificate's own issuer."""
    root = Authority(tmp_path / "root", "Sophos SSL CA_C0123")
    between = Authority(tmp_path / "between", "Issuing 7", root)
    await town.put(CONTROL_ADDRESS, 443, servers.keeps_open, between.issue(CONTROL))
    found = await questions.interception(town.watch, Network(dialer, root.file))
    assert found.values["failure"] == "sophos"


async def test_an_unknown_product_is_found_when_its_certificate_does_not_verify(town, stranger, network):
    """A filter whose root certificate this machine does not trust."""
    await town.put(CONTROL_ADDRESS, 443, servers.keeps_open, stranger.issue(CONTROL))
    found = await questions.interception(town.watch, network)
    assert (found.mark, found.values["failure"]) == ("bad", "ssl_unknown_authority")


async def test_an_honest_site_is_ok_and_a_dead_one_is_unknown(town, dialer, network):
    """Without an answer nothing is concluded about the line."""
    assert (await questions.interception(town.watch, network)).mark == "ok"
    with refusing() as port:
        dialer.ports[CONTROL_ADDRESS, 443] = port
        found = await questions.interception(town.watch, network)
    assert (found.mark, found.says, found.values["failure"]) == ("note", "interception_unknown", "connection_refused")


def test_the_words_are_in_lower_case():
    """They are compared with text in lower case."""
    assert all(word == word.lower() and len(word) > 4 for word in tls_interception.PRODUCTS)
