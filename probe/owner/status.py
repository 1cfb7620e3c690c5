"""What the probe did, what waits for delivery, and how many lines the answers about its provider are based on.

The last is computed here from what the API publishes to everybody: the request names the watch, but neither the probe
nor its provider.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe import panic
from probe.base import times
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody import withdrawal_delivery
from probe.custody.spool_view import view
from probe.home import notebook
from probe.home.notebook import CLOCK_TOLERANCE_MS
from probe.net.fetch import FetchError, fetch_now

if TYPE_CHECKING:
    from probe.home.config import Config
    from probe.home.notebook import ProbeState
    from probe.home.texts import Texts
    from probe.protocol.watch import Watch

_WAIT_S = 10.0
_LARGEST = 16 << 20


class CountedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The published answer that this line counts for. `lines` is 0 while there is none."""

    provider: str
    name: str
    lines: int
    state: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All that `status` shows. Times are RFC 3339 in UTC, null for never."""

    pid: int | None
    held: str
    why_not: str
    notice: str
    network_is_new: bool
    watch_expires: str | None
    withdrawal: Literal["", "waiting", "confirmed"]
    runs_today: int
    last_run: str | None
    next_run: str | None
    pending_measurements: int
    spooled_segments: int
    spooled_bytes: int
    oldest_spooled: str | None
    stored_segments: int
    rejected_segments: int
    last_delivery: str | None
    delivery_error: str
    month_bytes: int
    month_cap_bytes: int
    clock_offset_ms: int
    behind: tuple[CountedAnswer, ...]
    behind_unknown: str
    """Why `behind` is empty; "" where it is not."""


def status(config: Config, watch: Watch | None, *, ask_api: bool = True) -> Status:
    """Read the probe's files, and ask the API if `ask_api`. Raises UserError for a damaged spool."""
    directory = Path(config.data)
    state, at_ms = notebook.read(directory), now_ms()
    pid = panic.running(directory)
    spool = view(config.spool_file, at_ms)
    behind, unknown = _behind(config, watch, state, ask_api=ask_api)
    today = times.day(at_ms).isoformat()
    return Status(
        pid=pid or None,
        held=notebook.held(directory),
        why_not=state.why_not if pid else "",
        notice=state.notice if pid else "",
        network_is_new=bool(pid) and state.network_is_new,
        watch_expires=watch.expires if watch else None,
        withdrawal=_withdrawal(config),
        runs_today=state.runs if state.day == today else 0,
        last_run=_time(state.last_run_ms),
        next_run=_time(state.next_run_ms) if pid and state.next_run_ms > at_ms else None,
        pending_measurements=spool.pending,
        spooled_segments=spool.spooled,
        spooled_bytes=spool.spooled_bytes,
        oldest_spooled=_time(spool.oldest_ms or 0),
        stored_segments=spool.stored,
        rejected_segments=spool.rejected,
        last_delivery=_time(state.delivered_ms),
        delivery_error=state.delivery_error,
        month_bytes=spool.month_bytes,
        month_cap_bytes=config.monthly_mb * 1_000_000,
        clock_offset_ms=state.clock_offset_ms,
        behind=behind,
        behind_unknown=unknown,
    )


def in_words(found: Status, texts: Texts) -> list[str]:
    """The same as text for a person, one line for each item."""

    def say(key: str, **values: object) -> str:
        return texts.text("status", key, **values)

    never = say("never")
    stopped = "stopped_held" if found.held else "stopped"
    lines = [say("running", pid=found.pid) if found.pid else say(stopped)]
    lines += [say("held", reason=found.held)] if found.held else []
    lines += [say(f"withdrawal_{found.withdrawal}")] if found.withdrawal else []
    lines += [say("why_not", reason=found.why_not)] if found.why_not and not found.held else []
    lines += [say(found.notice)] if found.notice else []
    lines += [say("network_is_new")] if found.network_is_new else []
    lines.append(say(_about_watch(found), expires=found.watch_expires))
    today = "today" if found.next_run else "today_only"
    lines.append(say(today, runs=found.runs_today, last=found.last_run or never, next=found.next_run))
    kilobytes, oldest = f"{found.spooled_bytes / 1e3:.0f}", found.oldest_spooled or never
    lines.append(
        say(
            "spool",
            pending=found.pending_measurements,
            spooled=found.spooled_segments,
            kilobytes=kilobytes,
            oldest=oldest,
        )
    )
    when = found.last_delivery or never
    lines.append(say("delivered", stored=found.stored_segments, rejected=found.rejected_segments, when=when))
    lines += [say("delivery_error", error=found.delivery_error)] if found.delivery_error else []
    cap = f"{found.month_cap_bytes / 1e6:.0f} MB" if found.month_cap_bytes else say("no_cap")
    lines.append(say("cap", used=f"{found.month_bytes / 1e6:.1f}", cap=cap))
    if abs(found.clock_offset_ms) > CLOCK_TOLERANCE_MS:
        lines.append(say("clock", seconds=round(found.clock_offset_ms / 1000)))
    lines += [
        say("behind" if b.lines else "not_behind", provider=b.name, lines=b.lines, state=b.state) for b in found.behind
    ]
    if found.behind_unknown:
        key = "no_provider" if found.behind_unknown == "no provider" else "no_api"
        lines.append(say(key, reason=found.behind_unknown))
    return lines


def _about_watch(found: Status) -> str:
    if found.watch_expires is None:
        return "no_watch"
    return "watch" if found.watch_expires >= times.today().isoformat() else "watch_expired"


def _withdrawal(config: Config) -> Literal["", "waiting", "confirmed"]:
    directory = Path(config.data)
    if withdrawal_delivery.waiting(directory):
        return "waiting"
    return "confirmed" if withdrawal_delivery.confirmed_ms(directory, config.operator) else ""


class _PublicAnswer(msgspec.Struct):
    lines: int
    state: str


class _PublicEntry(msgspec.Struct):
    provider: str
    name: str
    answer: _PublicAnswer | None


class _PublicOnsets(msgspec.Struct):
    providers: list[_PublicEntry]


def _behind(
    config: Config, watch: Watch | None, state: ProbeState, *, ask_api: bool
) -> tuple[tuple[CountedAnswer, ...], str]:
    """The published answers that this line counts for, or the reason why they are not known."""
    if watch is None:
        return (), "no watch"
    asn = config.vantage.asn or state.asn
    access = config.vantage.access if config.vantage.access != "unknown" else state.access
    provider = watch.provider_of(asn, access, now_ms()) if asn else ""
    if not provider:
        return (), "no provider"
    if not config.api or not ask_api:
        return (), "no api"
    try:
        published, _ = published_answers(f"{config.api.rstrip('/')}/v1/watches/{watch.id}/onsets")
    except UserError as e:
        return (), e.message
    entries = [e for e in published.providers if e.provider == provider]
    return tuple(
        CountedAnswer(
            provider=e.provider,
            name=e.name,
            lines=e.answer.lines if e.answer else 0,
            state=e.answer.state if e.answer else "",
        )
        for e in entries
    ), ""


def published_answers(url: str) -> tuple[_PublicOnsets, int]:
    """A watch's published answers, and the server's time in ms since the epoch (0 if not known). Raises UserError."""
    try:
        document = fetch_now(url, timeout_s=_WAIT_S, largest=_LARGEST)
        published = msgspec.json.decode(document.body, type=_PublicOnsets)
    except (FetchError, msgspec.DecodeError) as e:
        raise UserError(f"api {url}: {e}") from e
    return published, _date_ms(document.headers.get("Date", ""))


def _date_ms(header: str) -> int:
    try:
        return round(parsedate_to_datetime(header).timestamp() * 1000)
    except ValueError:
        return 0


def _time(ms: int) -> str | None:
    return times.text(ms) if ms else None
