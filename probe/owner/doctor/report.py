"""`blockonset probe doctor`: is everything in order here? One line for each question, with what to do.

Each question is a function in `probe.owner.doctor.questions`. Only hosts that the watch and the configuration list are
contacted, and none while the probe is paused or withdrawn.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe.home import notebook
from probe.net.network import Network
from probe.owner.doctor import questions

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from probe.home.config import Config
    from probe.home.texts import Texts
    from probe.owner.doctor.questions import Finding


_KEYS = ("sync", "by", "how")
"""Values that are themselves keys of texts."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One question's answer: `bad` requires action, `note` does not."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str = ""


def examine(config: Config, texts: Texts, network: Network | None = None) -> list[Diagnosis]:
    """Ask every question. Tests give their own `network`."""
    return asyncio.run(_examine(config, texts, network))


async def _examine(config: Config, texts: Texts, network: Network | None) -> list[Diagnosis]:
    watch, about_watch = questions.watch(config)
    held_reason = notebook.held(Path(config.data))
    about_api, offset_ms = None, None
    if config.api and watch is not None and not held_reason:
        about_api, offset_ms = await asyncio.to_thread(questions.api, config, watch)
    found = [
        *(questions.version(), questions.clock(config, offset_ms), questions.disk(config)),
        *(about_watch, questions.key(config), questions.http3()),
    ]
    if held_reason:
        held = Diagnosis(question="network", mark="note", says=texts.text("doctor", "held", reason=held_reason))
        return [*(_line(texts, f) for f in found), held]
    network = network or Network()
    if watch is not None:
        asked: list[Awaitable[Finding]] = [
            questions.resolver(config, watch, network),
            questions.dns(watch, network),
            questions.interception(watch, network),
        ]
        found += [questions.network_kind(config), questions.network_number(config)]
        found += [questions.ipv6(network), questions.vpn(watch, network), *await asyncio.gather(*asked)]
    found += [await questions.collector(config, url) for url in config.nats]
    return [_line(texts, f) for f in (*found, *([about_api] if about_api else []))]


def worst(lines: list[Diagnosis]) -> int:
    """The exit code: 1 when something must be done. One collector that accepts the probe is enough."""
    collectors = [ln for ln in lines if ln.question.startswith("collector")]
    others = [ln for ln in lines if not ln.question.startswith("collector")]
    reached = not collectors or any(ln.mark == "ok" for ln in collectors)
    return 0 if reached and not any(ln.mark == "bad" for ln in others) else 1


def _line(texts: Texts, found: Finding) -> Diagnosis:
    is_key = found.says in texts.fallback["doctor"]
    values = {k: texts.text("doctor", v) if k in _KEYS else v for k, v in found.values.items()}
    says = texts.text("doctor", found.says, **values) if is_key else found.says
    fix = texts.text("doctor", found.fix, **values) if found.fix else ""
    return Diagnosis(question=found.question, mark=found.mark, says=says, fix=fix)
