"""`blockonset probe doctor`: is everything in order here? One line a question, each with what to do about it.

A question is a function in `probe.diagnosis`; this file asks them one after the other. Only what the watch and the
configuration list is contacted, and nothing while the probe is paused or withdrawn.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe import diagnosis, state
from probe import watch as watches
from probe.errors import UserError
from probe.network import Network

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from probe.config import Config
    from probe.diagnosis import Found
    from probe.messages import Messages
    from probe.watch import Watch


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
    lines = [_line(texts, f) for f in (diagnosis.version(), diagnosis.clock(config), diagnosis.disk(config))]
    watch, found = _watch(config)
    lines += [_line(texts, found), _line(texts, diagnosis.key(config))]
    if why := state.held(Path(config.data)):
        lines.append(Line(question="network", mark="note", says=texts.text("doctor", "held", reason=why)))
        return lines
    network = network or Network()
    if watch is not None:
        lines += [_line(texts, f) for f in diagnosis.road(watch, network)]
        asked: list[Awaitable[Found]] = [diagnosis.dns(watch, network), diagnosis.interception(watch, network)]
        lines += [_line(texts, f) for f in await asyncio.gather(*asked)]
    lines += [_line(texts, f) for f in [await diagnosis.collector(config, url) for url in config.nats]]
    if config.api and watch is not None:
        lines.append(_line(texts, await asyncio.to_thread(diagnosis.api, config, watch)))
    return lines


def worst(lines: list[Line]) -> int:
    """The exit code: 1 when something must be done. Of the collectors one that lets the probe in is enough."""
    collectors = [ln for ln in lines if ln.question.startswith("collector")]
    others = [ln for ln in lines if not ln.question.startswith("collector")]
    reached = not collectors or any(ln.mark == "ok" for ln in collectors)
    return 0 if reached and not any(ln.mark == "bad" for ln in others) else 1


def _watch(config: Config) -> tuple[Watch | None, Found]:
    path = Path(config.watch)
    try:
        today = dt.datetime.now(dt.UTC).date()
        watch = watches.open_signed(path.read_bytes(), config.operator, str(path), today)
    except (OSError, UserError) as e:
        said = e.message if isinstance(e, UserError) else f"{path}: {e.strerror}"
        return None, diagnosis.Found("watch", "bad", said, "watch_fix", {})
    return watch, diagnosis.Found("watch", "ok", "watch_ok", "", {"id": watch.id, "expires": watch.expires})


def _line(texts: Messages, found: Found) -> Line:
    known = found.says in texts.fallback["doctor"]
    values = {k: texts.text("doctor", v) if k == "sync" else v for k, v in found.values.items()}
    says = texts.text("doctor", found.says, **values) if known else found.says
    fix = texts.text("doctor", found.fix, **values) if found.fix else ""
    return Line(question=found.question, mark=found.mark, says=says, fix=fix)
