"""Does something on this line open TLS? An antivirus or a filter shows certificates of its own, and this machine may
well trust them: so who issued the control's certificate is looked at, too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cryptography import x509

from probe import failures, trust
from probe.secure import Secure
from probe.wire import Wire

if TYPE_CHECKING:
    from probe.network import Network

OPENERS = (
    *(
        "avast",
        "avg technologies",
        "kaspersky",
        "eset ssl",
        "bitdefender",
        "sophos",
        "fortinet",
        "fortigate",
        "zscaler",
    ),
    *("netskope", "norton", "mcafee", "blue coat", "untangle", "securly", "lightspeed", "goguardian", "covenant eyes"),
    *(
        "net nanny",
        "cisco umbrella",
        "check point",
        "palo alto",
        "fiddler",
        "mitmproxy",
        "squid",
        "adguard",
        "qustodio",
    ),
)
"""Words in the issuer's name of a certificate that a product on the line made in place of the site's own."""


async def look(network: Network, host: str, address: str, limit_s: float) -> str:
    """What is wrong with the certificate that a host shows on port 443: "" when nothing is.

    A failure's name or the product's word. Raises ConnectionError where there was no handshake.
    """
    try:
        async with asyncio.timeout(limit_s):
            with await Wire.stream(network.dialer.tcp(address, 443)) as wire:
                chain = await Secure(wire, network.tls, host).shake()
    except failures.NETWORK_ERRORS as e:
        raise ConnectionError(failures.name(e)) from e
    return opener(chain) or trust.judge(chain, host, network.ca_file).failure or ""


def opener(chain: list[bytes]) -> str:
    """The word of a known product in the issuers' names of a chain, or ""."""
    for der in chain:
        try:
            issuer = x509.load_der_x509_certificate(der).issuer.rfc4514_string().lower()
        except ValueError:
            continue
        if found := next((word for word in OPENERS if word in issuer), ""):
            return found
    return ""
