"""The lab's certificates: those of an authority that the probes trust, and two of an authority that they don't.

They are created once and kept in the data directory, so that a restarted country shows the same certificates.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from infra.lab.servers.authority import AUTHORITY, Authority

if TYPE_CHECKING:
    from infra.lab.scenario import Scenario


class Certificates:
    """The TLS server contexts of a country, from a folder in which the certificates are created at the first start.

    `site` and `control` are genuine, `impostor` has the site's name but is issued by an authority that nobody trusts,
    and `notice` is the block server's.
    """

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        files = [folder / f"{name}.pem" for name in ("site", "control", "impostor", "notice")]
        if not all(f.exists() for f in (folder / AUTHORITY, *files)):
            _create(folder, scenario)
        self.site, self.control, self.impostor, self.notice = map(server_context, files)


def _create(folder: Path, scenario: Scenario) -> None:
    for file in folder.glob("*.pem"):
        file.unlink()  # all of them first: if this is interrupted, some are missing and all are created anew
    trusted = Authority(folder, "Lab authority (fictional)")
    foreign = Authority(folder, "Filter authority (fictional)", file="foreign.pem")
    site = scenario.surfaces.web.host if scenario.surfaces.web else scenario.control.host
    trusted.write(site, file="site.pem")
    trusted.write(scenario.control.host, file="control.pem")
    foreign.write(site, file="impostor.pem")
    foreign.write(scenario.block_server.host, file="notice.pem")


def server_context(pem: Path) -> ssl.SSLContext:
    """A server's TLS context with the certificate and key in a file. It sends no session tickets.

    Probes in the lab need none, and each ticket costs about as much as a signature.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.num_tickets = 0
    return context
