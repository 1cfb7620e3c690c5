"""`blockonset probe doctor`: is everything in order here? One line a question, each with what to do about it.

A question is a function in `probe.owner.doctor.questions`; this file asks them one after the other. Only what the
watch and the configuration list is contacted, and nothing while the probe is paused or withdrawn.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe.home import notebook as state
from probe.net.network import Network
from probe.owner.doctor import questions as diagnosis

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from probe.home.config import Config
    from probe.home.texts import Messages
    from probe.owner.doctor.questions import Found


_KEYS = ("sync", "by", "how")
"""Values that are keys of texts themselves."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One question's answer: `bad` needs doing something about, `note` is good to know."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str = ""


def examine(config: Config, texts: Messages, network: Network | None = None) -> list[Line]:
    """Ask everything. `network` is the tests' own."""
    return asyncio.run(_examine(config, texts, network))


async def _examine(config: Config, texts: Messages, network: Network | None) -> list[Line]:
    watch, about_watch = diagnosis.watch(config)
    why = state.held(Path(config.data))
    about_api, offset_ms = None, None
    if config.api and watch is not None and not why:
        about_api, offset_ms = await asyncio.to_thread(diagnosis.api, config, watch)
    found = [
        *(diagnosis.version(), diagnosis.clock(config, offset_ms), diagnosis.disk(config)),
        *(about_watch, diagnosis.key(config), diagnosis.http3()),
    ]
    if why:
        held = Line(question="network", mark="note", says=texts.text("doctor", "held", reason=why))
        return [*(_line(texts, f) for f in found), held]
    network = network or Network()
    if watch is not None:
        asked: list[Awaitable[Found]] = [
            diagnosis.resolver(config, watch, network),
            diagnosis.dns(watch, network),
            diagnosis.interception(watch, network),
        ]
        found += [*diagnosis.place(config), *diagnosis.road(watch, network), *await asyncio.gather(*asked)]
    found += [await diagnosis.collector(config, url) for url in config.nats]
    return [_line(texts, f) for f in (*found, *([about_api] if about_api else []))]


def worst(lines: list[Line]) -> int:
    """The exit code: 1 when something must be done. Of the collectors one that lets the probe in is enough."""
    collectors = [ln for ln in lines if ln.question.startswith("collector")]
    others = [ln for ln in lines if not ln.question.startswith("collector")]
    reached = not collectors or any(ln.mark == "ok" for ln in collectors)
    return 0 if reached and not any(ln.mark == "bad" for ln in others) else 1


def _line(texts: Messages, found: Found) -> Line:
    known = found.says in texts.fallback["doctor"]
    values = {k: texts.text("doctor", v) if k in _KEYS else v for k, v in found.values.items()}
    says = texts.text("doctor", found.says, **values) if known else found.says
    fix = texts.text("doctor", found.fix, **values) if found.fix else ""
    return Line(question=found.question, mark=found.mark, says=says, fix=fix)
