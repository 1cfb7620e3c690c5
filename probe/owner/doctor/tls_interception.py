"""Does something on this line open TLS? An antivirus or a filter shows certificates of its own, and this machine may
well trust them: so who issued the control's certificate is looked at, too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cryptography import x509

from probe.net import certificates, failures
from probe.net.counted_socket import CountedSocket
from probe.net.tls import TlsConnection

if TYPE_CHECKING:
    from probe.net.network import Network

OPENERS = (
    # antivirus: what it calls itself as an issuer, not as a company
    *(
        "web/mail shield",
        "kaspersky",
        "eset ssl filter",
        "bitdefender",
        "avira",
        "dr.web",
        "sophos",
        "mcafee",
        "norton",
    ),
    # companies' and schools' gateways
    *("fortinet", "fortigate", "zscaler", "netskope", "blue coat", "untangle", "securly", "lightspeed", "goguardian"),
    *("cisco umbrella", "check point", "palo alto networks", "gateway ca - cloudflare", "squid"),
    # parental filters and advertising blockers
    *("covenant eyes", "net nanny", "qustodio", "adguard"),
    # tools of people who look into their own traffic
    *("fiddler", "mitmproxy", "charles proxy", "portswigger"),
)
"""Words in the issuer's name of a certificate that a product on the line made in place of the site's own.
"Web/Mail Shield" is Avast's, AVG's and Norton's."""

_NAMES = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME, x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
"""Where products name themselves; a city or a mail address in an issuer's name tells nothing."""


async def look(network: Network, host: str, address: str, limit_s: float) -> str:
    """What is wrong with the certificate that a host shows on port 443: "" when nothing is.

    A failure's name or the product's word. Raises ConnectionError where there was no handshake.
    """
    try:
        async with asyncio.timeout(limit_s):
            with await CountedSocket.stream(network.dialer.tcp(address, 443)) as wire:
                chain = await TlsConnection(wire, network.tls, host).handshake()
    except failures.NETWORK_ERRORS as e:
        raise ConnectionError(failures.name(e)) from e
    return opener(chain) or certificates.judge(chain, host, network.ca_file).failure or ""


def opener(chain: list[bytes]) -> str:
    """The word of a known product in the issuers' names of a chain, or ""."""
    for der in chain:
        try:
            issuer = x509.load_der_x509_certificate(der).issuer
        except ValueError:
            continue
        said = "\n".join(str(a.value) for oid in _NAMES for a in issuer.get_attributes_for_oid(oid)).lower()
        if found := next((word for word in OPENERS if word in said), ""):
            return found
    return ""
