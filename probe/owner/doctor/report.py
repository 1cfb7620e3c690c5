"""`blockonset probe doctor`: is everything in order here? One line a question, each with what to do about it.

A question is a function in `probe.owner.doctor.questions`; this file asks them one after the other. Only what the
watch and the configuration list is contacted, and nothing while the probe is paused or withdrawn.
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
"""Values that are keys of texts themselves."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One question's answer: `bad` needs doing something about, `note` is good to know."""

    question: str
    mark: Literal["ok", "note", "bad"]
    says: str
    fix: str = ""


def examine(config: Config, texts: Texts, network: Network | None = None) -> list[Diagnosis]:
    """Ask everything. `network` is the tests' own."""
    return asyncio.run(_examine(config, texts, network))


async def _examine(config: Config, texts: Texts, network: Network | None) -> list[Diagnosis]:
    watch, about_watch = questions.watch(config)
    why = notebook.held(Path(config.data))
    about_api, offset_ms = None, None
    if config.api and watch is not None and not why:
        about_api, offset_ms = await asyncio.to_thread(questions.api, config, watch)
    found = [
        *(questions.version(), questions.clock(config, offset_ms), questions.disk(config)),
        *(about_watch, questions.key(config), questions.http3()),
    ]
    if why:
        held = Diagnosis(question="network", mark="note", says=texts.text("doctor", "held", reason=why))
        return [*(_line(texts, f) for f in found), held]
    network = network or Network()
    if watch is not None:
        asked: list[Awaitable[Finding]] = [
            questions.resolver(config, watch, network),
            questions.dns(watch, network),
            questions.interception(watch, network),
        ]
        found += [*questions.place(config), *questions.road(watch, network), *await asyncio.gather(*asked)]
    found += [await questions.collector(config, url) for url in config.nats]
    return [_line(texts, f) for f in (*found, *([about_api] if about_api else []))]


def worst(lines: list[Diagnosis]) -> int:
    """The exit code: 1 when something must be done. Of the collectors one that lets the probe in is enough."""
    collectors = [ln for ln in lines if ln.question.startswith("collector")]
    others = [ln for ln in lines if not ln.question.startswith("collector")]
    reached = not collectors or any(ln.mark == "ok" for ln in collectors)
    return 0 if reached and not any(ln.mark == "bad" for ln in others) else 1


def _line(texts: Texts, found: Finding) -> Diagnosis:
    known = found.says in texts.fallback["doctor"]
    values = {k: texts.text("doctor", v) if k in _KEYS else v for k, v in found.values.items()}
    says = texts.text("doctor", found.says, **values) if known else found.says
    fix = texts.text("doctor", found.fix, **values) if found.fix else ""
    return Diagnosis(question=found.question, mark=found.mark, says=says, fix=fix)
