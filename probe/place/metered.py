"""Whether this connection is metered. On Linux NetworkManager tells it; elsewhere only the configuration can."""

from __future__ import annotations

import asyncio
import contextlib
import os

_WAIT_S = 5.0
_FIELDS = "GENERAL.STATE,GENERAL.METERED"
_CONNECTED = "100"
"""NetworkManager's number for a device in use (NM_DEVICE_STATE_ACTIVATED)."""


async def is_metered(setting: str) -> bool:
    """The configured `yes` or `no`. For `auto` NetworkManager is asked; False where there is none."""
    if setting != "auto":
        return setting == "yes"
    return any_metered(await _nmcli_output())


def any_metered(output: str) -> bool:
    """Whether a device in use is metered, by the output of `nmcli -t device show`, which has one block for each device.

    "yes" and "yes (guessed)" both count.
    """
    for block in output.split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in block.splitlines())
        in_use = fields.get("GENERAL.STATE", "").startswith(_CONNECTED)
        if in_use and fields.get("GENERAL.METERED", "").startswith("yes"):
            return True
    return False


async def _nmcli_output() -> str:
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
