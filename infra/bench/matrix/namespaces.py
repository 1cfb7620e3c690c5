"""The test bed: a line (near side), a provider's router and the service (far side), each in a network namespace.

    near side (eth0, wg0) -- router (home, tunnel | uplink) -- far side (all addresses of the watch)

The namespaces have no connection to the machine's own network. Needs root, `ip` and `nft` (Debian: iproute2,
nftables). Everything is removed at the end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.bench.matrix.addresses import APP, BLOCK_SERVER, FAR_SIDE_ADDRESSES, RESOLVERS, SITE, SITE_HOST
from infra.child import end
from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = Path(__file__).parents[3]
_SERIAL_NUMBERS = itertools.count(1)
_RULES_TEMPLATE = Path(__file__).with_name("router.nft")
_LINE_ADDRESSES = ("10.64.0.2", "2001:db8:64::2")
_TUNNEL_ADDRESS = "10.66.0.2"


def missing() -> str:
    """What this machine lacks for a test bed, as a text; "" if nothing."""
    if sys.platform != "linux":
        return "network namespaces exist only on Linux"
    tools = [t for t in ("ip", "nft") if shutil.which(t, path=_path()) is None]
    if tools:
        return f"{' and '.join(tools)} not found: install iproute2 and nftables"
    return "" if os.geteuid() == 0 else "creating network namespaces needs root"


class NamespaceBed:
    """A test bed, to be used in a `with` block. `data` is a directory of its own.

    Raises UserError when the test bed can't be made.
    """

    def __init__(self, data: Path) -> None:
        if missing():
            raise UserError(f"no test bed: {missing()}")
        self.data = data
        name = f"bo{os.getpid()}-{next(_SERIAL_NUMBERS)}"
        self.near_side, self.router, self.far_side = (f"{name}-{side}" for side in ("near", "router", "far"))
        self._resolv_conf = Path("/etc/netns") / self.near_side / "resolv.conf"
        self._stack = contextlib.ExitStack()
        self._far_side_process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def authority(self) -> Path:
        """The certificate of the authority that the line's probe must trust."""
        return self.data / "authority.pem"

    def set_rules(self, forward: str = "", nat: str = "", forward6: str = "") -> None:
        """Replace the router's nft rules; `@site`, `@app` and `@service` are sets of addresses.

        `forward` (IPv4) and `forward6` (IPv6) apply to what it forwards, `nat` before routing (IPv4).
        """
        text = _RULES_TEMPLATE.read_text(encoding="utf-8")
        bit_offset, name = _name_in_client_hello(SITE_HOST)
        forward, forward6 = (
            f.replace("SERVER_NAME", f"@ih,{bit_offset},{len(name) * 8} 0x{name.hex()}") for f in (forward, forward6)
        )
        for placeholder, value in {
            "SITE": _only_ipv4(SITE),
            "APP": _only_ipv4(APP),
            "SERVICE": _only_ipv4((*SITE, *APP)),
            "SITE6": _only_ipv6(SITE),
            "APP6": _only_ipv6(APP),
            "SERVICE6": _only_ipv6((*SITE, *APP)),
            "FORWARD6": forward6,
            "FORWARD": forward,
            "NAT": nat,
        }.items():
            text = text.replace(f"<{placeholder}>", value)
        _run(["ip", "netns", "exec", self.router, "nft", "-f", "-"], text)

    def set_mode(self, **mode: object) -> None:
        """Put a mode of the far side in force; the arguments are the fields of `far_side.FarSideMode`.

        Raises UserError when the far side ended.
        """
        process = self._far_side_process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(mode).encode() + b"\n")
        process.stdin.flush()
        if process.stdout.readline() != b"{}\n":
            raise UserError(f"the far side of the test bed failed: {(self.data / 'far_side.log').read_text()}")

    def set_resolver(self, address: str) -> None:
        """Set the address of the resolver that the line uses."""
        self._resolv_conf.write_text(f"nameserver {address}\n", encoding="ascii")

    def shell(self, side: str, command: str) -> None:
        """Run a command in a namespace: `near_side`, `router` or `far_side`. Raises UserError when it fails."""
        _run(["ip", "netns", "exec", getattr(self, side), *command.split()])

    def start(self, side: str, module: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a Python module as a process in a namespace: `near_side`, `router` or `far_side`."""
        command = ["ip", "netns", "exec", getattr(self, side), sys.executable, "-m", module, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with log.open("ab") as err:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, cwd=_ROOT,
                env=environment | {"PATH": _path(), "PYTHONPATH": str(_ROOT)},
            )  # fmt: skip

    @contextlib.contextmanager
    def injector(self, address: str = BLOCK_SERVER) -> Iterator[None]:
        """A middlebox at the router that answers DNS queries for the site with `address`, for the time of a block."""
        arguments = ("--interface", "home", "--host", SITE_HOST, "--address", address)
        process = self.start("router", "infra.bench.matrix.dns_injector", *arguments, log=self.data / "injector.log")
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            _end(process)

    def measure(
        self, count: int, at_once: int, watch: Path, role: str = "probe", *, sweep: bool = False
    ) -> list[bytes]:
        """Make `count` runs of the probe on the line; each run's measurements as JSON. Raises UserError."""
        arguments = [f"--watch={watch}", f"--authority={self.authority}", f"--runs={count}", f"--at-once={at_once}"]
        arguments += [f"--role={role}", *(["--sweep"] if sweep else [])]
        log = self.data / "near_side.log"
        process = self.start("near_side", "infra.bench.matrix.near_side", *arguments, log=log)
        try:
            out, _ = process.communicate()
        finally:
            _end(process)
        if process.returncode:
            raise UserError(f"the probe of the test bed failed: {log.read_text()}")
        return out.splitlines()

    def _build(self) -> None:
        for name in (self.near_side, self.router, self.far_side):
            _run(["ip", "netns", "add", name])
            self._stack.callback(_run, ["ip", "netns", "del", name])
            _run(["ip", "-n", name, "link", "set", "lo", "up"])
        self._resolv_conf.parent.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, self._resolv_conf.parent)
        self._join("near_side", "eth0", _LINE_ADDRESSES, "home", ("10.64.0.1", "2001:db8:64::1"))
        self._join("near_side", "wg0", (_TUNNEL_ADDRESS,), "tunnel", ("10.66.0.1",))
        self._join("router", "uplink", ("10.65.0.1", "2001:db8:65::1"), "net0", ("10.65.0.2", "2001:db8:65::2"))
        for address in (*FAR_SIDE_ADDRESSES, *RESOLVERS):
            _run(["ip", "-n", self.far_side, "address", "add", address, "dev", "lo", *_no_dad(address)])
        for name, gateway, gateway6 in (
            (self.near_side, "10.64.0.1", "2001:db8:64::1"),
            (self.router, "10.65.0.2", "2001:db8:65::2"),
            (self.far_side, "10.65.0.1", "2001:db8:65::1"),
        ):
            _run(["ip", "-n", name, "route", "add", "default", "via", gateway])
            _run(["ip", "-n", name, "route", "add", "default", "via", gateway6])
        self.shell("router", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        # Real routers limit their ICMP errors per second; here every run must meet the same network.
        self.shell("router", "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
        self.shell("near_side", "sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1")
        self.set_resolver(RESOLVERS[0])
        self.set_rules()
        self._far_side_process = self.start(
            "far_side", "infra.bench.matrix.far_side", "--data", str(self.data), log=self.data / "far_side.log"
        )
        self._stack.callback(_end, self._far_side_process)
        assert self._far_side_process.stdout is not None
        if not self._far_side_process.stdout.readline():
            raise UserError(f"the far side of the test bed didn't start: {(self.data / 'far_side.log').read_text()}")

    def _join(
        self,
        side: str,
        interface: str,
        addresses: tuple[str, ...],
        peer_interface: str,
        peer_addresses: tuple[str, ...],
    ) -> None:
        """Connect a namespace with the next one towards the far side by a pair of virtual interfaces."""
        peer_side = "router" if side == "near_side" else "far_side"
        ends = (
            (getattr(self, side), interface, addresses),
            (getattr(self, peer_side), peer_interface, peer_addresses),
        )
        _run(["ip", "link", "add", interface, "netns", ends[0][0], "type", "veth", "peer", "name", peer_interface,
              "netns", ends[1][0]])  # fmt: skip
        for namespace, device, own_addresses in ends:
            for address in own_addresses:
                prefix = f"{address}/{64 if ':' in address else 24}"
                _run(["ip", "-n", namespace, "address", "add", prefix, "dev", device, *_no_dad(address)])
            _run(["ip", "-n", namespace, "link", "set", device, "up"])


def _name_in_client_hello(host: str) -> tuple[int, bytes]:
    """The bit offset of a server name in this machine's own ClientHello, and the name's first bytes, at most 16."""
    import ssl  # noqa: PLC0415 - needed only here

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    name = host.encode()[:16]
    return outgoing.read().index(name) * 8, name


def _only_ipv4(addresses: Iterable[str]) -> str:
    return ", ".join(a for a in addresses if ":" not in a)


def _only_ipv6(addresses: Iterable[str]) -> str:
    return ", ".join(a for a in addresses if ":" in a)


def _no_dad(address: str) -> list[str]:
    """No duplicate address detection for IPv6: it would delay the use of an address by a second."""
    return ["nodad"] if ":" in address else []


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, check=False, env=os.environ | {"PATH": _path()}
    )
    if done.returncode:
        raise UserError(f"test bed: {' '.join(command)}: {done.stderr.strip()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    end(process, 10)
