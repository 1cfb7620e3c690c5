"""The test bed: a line, a provider's router and a world in three network namespaces of their own.

    line (eth0, wg0) -- router (home, tunnel | uplink) -- world (every address of the watch)

Nothing here reaches the machine's own network: the namespaces have no way out. Needs root, `ip` and `nft` (Debian:
iproute2, nftables). Everything is removed at the end.
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

from infra.bench.matrix.addresses import APP, BLOCK_SERVER, ELSEWHERE, RESOLVERS, SITE, SITE_HOST
from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = Path(__file__).parents[3]
_NUMBERS = itertools.count(1)
_RULES = Path(__file__).with_name("router.nft")
_LINE, _LINE6 = "10.64.0.2", "2001:db8:64::2"
_TUNNEL = "10.66.0.2"


def missing() -> str:
    """What this machine lacks for a test bed, in words; "" when it has all."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    tools = [t for t in ("ip", "nft") if shutil.which(t, path=_path()) is None]
    if tools:
        return f"{' and '.join(tools)} not found: install iproute2 and nftables"
    return "" if os.geteuid() == 0 else "only root makes network namespaces"


class NamespaceBed:
    """A test bed, while it is entered. `data` is a directory of its own. Raises UserError where it can't be made."""

    def __init__(self, data: Path) -> None:
        if missing():
            raise UserError(f"no test bed: {missing()}")
        self.data = data
        name = f"bo{os.getpid()}-{next(_NUMBERS)}"
        self.line, self.router, self.world = (f"{name}-{end}" for end in ("line", "router", "world"))
        self._resolv = Path("/etc/netns") / self.line / "resolv.conf"
        self._stack = contextlib.ExitStack()
        self._serving: subprocess.Popen[bytes] | None = None

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
        """The certificate that the line's probe is to trust."""
        return self.data / "authority.pem"

    def rules(self, forward: str = "", nat: str = "", forward6: str = "") -> None:
        """What the router does to what it forwards, in nft's words; `@site`, `@app` and `@service` are addresses.

        `forward6` is for IPv6, and `forward` for IPv4 alone.
        """
        text = _RULES.read_text(encoding="utf-8")
        hello, name = _name_in_hello(SITE_HOST)
        forward, forward6 = (
            f.replace("SERVER_NAME", f"@ih,{hello},{len(name) * 8} 0x{name.hex()}") for f in (forward, forward6)
        )
        for word, value in {
            "SITE": _four(SITE),
            "APP": _four(APP),
            "SERVICE": _four((*SITE, *APP)),
            "SITE6": _six(SITE),
            "APP6": _six(APP),
            "SERVICE6": _six((*SITE, *APP)),
            "FORWARD6": forward6,
            "FORWARD": forward,
            "NAT": nat,
        }.items():
            text = text.replace(f"<{word}>", value)
        _run(["ip", "netns", "exec", self.router, "nft", "-f", "-"], text)

    def mode(self, **mode: object) -> None:
        """What the world does: see infra.bench.world.Mode."""
        serving = self._serving
        assert serving is not None
        assert serving.stdin is not None
        assert serving.stdout is not None
        serving.stdin.write(json.dumps(mode).encode() + b"\n")
        serving.stdin.flush()
        if serving.stdout.readline() != b"{}\n":
            raise UserError(f"the world of the test bed broke: {(self.data / 'world.log').read_text()}")

    def resolver(self, address: str) -> None:
        """Whom the line asks for names."""
        self._resolv.write_text(f"nameserver {address}\n", encoding="ascii")

    def shell(self, where: str, command: str) -> None:
        """One command in a namespace: `line`, `router` or `world`. Raises UserError."""
        _run(["ip", "netns", "exec", getattr(self, where), *command.split()])

    def start(self, where: str, module: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """A module of ours as a process in a namespace."""
        command = ["ip", "netns", "exec", getattr(self, where), sys.executable, "-m", module, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with log.open("ab") as err:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, cwd=_ROOT,
                env=environment | {"PATH": _path(), "PYTHONPATH": str(_ROOT)},
            )  # fmt: skip

    @contextlib.contextmanager
    def injector(self, address: str = BLOCK_SERVER) -> Iterator[None]:
        """Somebody on the way who answers DNS queries for the site with an address of his own."""
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
        """So many runs of the probe on the line, each its measurements as JSON. Raises UserError."""
        arguments = [f"--watch={watch}", f"--authority={self.authority}", f"--runs={count}", f"--at-once={at_once}"]
        arguments += [f"--role={role}", *(["--sweep"] if sweep else [])]
        log = self.data / "line.log"
        process = self.start("line", "infra.bench.matrix.near_side", *arguments, log=log)
        try:
            out, _ = process.communicate()
        finally:
            _end(process)
        if process.returncode:
            raise UserError(f"the probe of the test bed broke: {log.read_text()}")
        return out.splitlines()

    def _build(self) -> None:
        for name in (self.line, self.router, self.world):
            _run(["ip", "netns", "add", name])
            self._stack.callback(_run, ["ip", "netns", "del", name])
            _run(["ip", "-n", name, "link", "set", "lo", "up"])
        self._resolv.parent.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, self._resolv.parent)
        self._join("line", "eth0", (_LINE, _LINE6), "home", ("10.64.0.1", "2001:db8:64::1"))
        self._join("line", "wg0", (_TUNNEL,), "tunnel", ("10.66.0.1",))
        self._join("router", "uplink", ("10.65.0.1", "2001:db8:65::1"), "net0", ("10.65.0.2", "2001:db8:65::2"))
        for address in (*ELSEWHERE, *RESOLVERS):
            _run(["ip", "-n", self.world, "address", "add", address, "dev", "lo", *_no_dad(address)])
        for name, gateway, gateway6 in (
            (self.line, "10.64.0.1", "2001:db8:64::1"),
            (self.router, "10.65.0.2", "2001:db8:65::2"),
            (self.world, "10.65.0.1", "2001:db8:65::1"),
        ):
            _run(["ip", "-n", name, "route", "add", "default", "via", gateway])
            _run(["ip", "-n", name, "route", "add", "default", "via", gateway6])
        self.shell("router", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        # Real routers send few ICMP errors a second; here every run is to meet the same network.
        self.shell("router", "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
        self.shell("line", "sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1")
        self.resolver(RESOLVERS[0])
        self.rules()
        self._serving = self.start(
            "world", "infra.bench.matrix.far_side", "--data", str(self.data), log=self.data / "world.log"
        )
        self._stack.callback(_end, self._serving)
        assert self._serving.stdout is not None
        if not self._serving.stdout.readline():
            raise UserError(f"the world of the test bed didn't start: {(self.data / 'world.log').read_text()}")

    def _join(self, near: str, here: str, ours: tuple[str, ...], there: str, theirs: tuple[str, ...]) -> None:
        far = "router" if near == "line" else "world"
        ends = ((getattr(self, near), here, ours), (getattr(self, far), there, theirs))
        _run(["ip", "link", "add", here, "netns", ends[0][0], "type", "veth", "peer", "name", there,
              "netns", ends[1][0]])  # fmt: skip
        for name, interface, addresses in ends:
            for address in addresses:
                length = 64 if ":" in address else 24
                _run(["ip", "-n", name, "address", "add", f"{address}/{length}", "dev", interface, *_no_dad(address)])
            _run(["ip", "-n", name, "link", "set", interface, "up"])


def _name_in_hello(host: str) -> tuple[int, bytes]:
    """Where the first bytes of a server name stand in our own ClientHello: the bit offset, and at most 16 bytes."""
    import ssl  # noqa: PLC0415 - only here

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    name = host.encode()[:16]
    return outgoing.read().index(name) * 8, name


def _four(addresses: Iterable[str]) -> str:
    return ", ".join(a for a in addresses if ":" not in a)


def _six(addresses: Iterable[str]) -> str:
    return ", ".join(a for a in addresses if ":" in a)


def _no_dad(address: str) -> list[str]:
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
    process.terminate()
    process.wait(10)
