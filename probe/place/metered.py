"""Whether this connection is paid by use. On Linux NetworkManager knows it; elsewhere the configuration says it."""

from __future__ import annotations

import asyncio
import contextlib
import os

_WAIT_S = 5.0
_FIELDS = "GENERAL.STATE,GENERAL.METERED"
_CONNECTED = "100"
"""NetworkManager's number for a device in use (NM_DEVICE_STATE_ACTIVATED)."""


async def is_metered(setting: str) -> bool:
    """`yes` and `no` are taken at their word; `auto` asks NetworkManager, and is no where there is none."""
    if setting != "auto":
        return setting == "yes"
    return any_metered(await _ask())


def any_metered(said: str) -> bool:
    """Read `nmcli -t device show`: a block a device. "yes" and "yes (guessed)" both count, on a device in use."""
    for block in said.split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in block.splitlines())
        in_use = fields.get("GENERAL.STATE", "").startswith(_CONNECTED)
        if in_use and fields.get("GENERAL.METERED", "").startswith("yes"):
            return True
    return False


async def _ask() -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *("nmcli", "-t", "-f", _FIELDS, "device", "show"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_WAIT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return ""
    return out.decode(errors="replace")
