"""Does something on this line intercept TLS? Antivirus programs and filters replace certificates by their own.

This machine may trust those, so the issuer of the control's certificate is checked too.
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

PRODUCTS = (
    # antivirus programs: their names as issuers, not as companies
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
    # gateways of companies and schools
    *("fortinet", "fortigate", "zscaler", "netskope", "blue coat", "untangle", "securly", "lightspeed", "goguardian"),
    *("cisco umbrella", "check point", "palo alto networks", "gateway ca - cloudflare", "squid"),
    # parental filters and advertising blockers
    *("covenant eyes", "net nanny", "qustodio", "adguard"),
    # tools for inspecting one's own traffic
    *("fiddler", "mitmproxy", "charles proxy", "portswigger"),
)
"""Words in the issuer's name of certificates that products make in place of a site's own.
"Web/Mail Shield" is Avast's, AVG's and Norton's."""

_NAMES = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME, x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
"""The parts of an issuer's name in which products name themselves; a city or mail address is no evidence."""


async def problem(network: Network, host: str, address: str, limit_s: float) -> str:
    """What is wrong with the certificate that a host shows on port 443: a product's word, a failure's name, or "".

    Raises ConnectionError when the handshake fails.
    """
    try:
        async with asyncio.timeout(limit_s):
            with await CountedSocket.stream(network.dialer.tcp(address, 443)) as wire:
                chain = await TlsConnection(wire, network.tls, host).handshake()
    except failures.NETWORK_ERRORS as e:
        raise ConnectionError(failures.name(e)) from e
    return product(chain) or certificates.judge(chain, host, network.ca_file).failure or ""


def product(chain: list[bytes]) -> str:
    """The word of a known product in the issuers' names of a chain (in DER), or ""."""
    for der in chain:
        try:
            issuer = x509.load_der_x509_certificate(der).issuer
        except ValueError:
            continue
        name = "\n".join(str(a.value) for oid in _NAMES for a in issuer.get_attributes_for_oid(oid)).lower()
        if word := next((word for word in PRODUCTS if word in name), ""):
            return word
    return ""
