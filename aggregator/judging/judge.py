"""Judging stored runs under a rule set: writes rows of `verdicts`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from probe.base.clock import now_ms
from probe.base.errors import UserError

if TYPE_CHECKING:
    from aggregator.judging.rule_set import RuleSet
    from aggregator.store.store import Store

log = structlog.get_logger()

_DAY_MS = 86_400_000


def judge(store: Store, rules: RuleSet, since_ms: int, until_ms: int) -> None:
    """Judge the measurements received from `since_ms` to `until_ms`, inclusive.

    Judging again changes nothing: the same facts give the same rows, and the table keeps one of each. Raises
    StoreError.
    """
    store.execute(rules.statement(), rule_set=rules.version, since=since_ms, until=until_ms)


def rejudge(store: Store, rules: RuleSet) -> int:
    """Judge all history under a rule set, day by day. Returns the number of days.

    Raises StoreError, and UserError as `is_judged`.
    """
    is_judged(store, rules)
    days = [row["day_ms"] for row in store.read("days_received")]
    for day in days:
        judge(store, rules, day, day + _DAY_MS - 1)
    if not is_judged(store, rules):
        row = {"rule_set": rules.version, "digest": rules.digest, "judged": now_ms(), "text": rules.text}
        store.insert_row("rule_sets", row)
    return len(days)


def is_judged(store: Store, rules: RuleSet) -> bool:
    """Whether all of the store's history has been judged under this rule set.

    Raises UserError when it was judged under another text of the same version, because a verdict that somebody quoted
    must keep its meaning.
    """
    judged = store.read("rule_set_known", rule_set=rules.version)
    if judged and judged[0]["digest"] != rules.digest:
        raise UserError(
            f"rule set {rules.version}: the store was judged under another text of this version. "
            "Give the changed rules a file with a new name in aggregator/judging/rules."
        )
    return bool(judged)


def ensure(store: Store, rules: RuleSet) -> None:
    """Judge all history under a rule set, unless that was done before.

    Raises StoreError, and UserError as `is_judged`.
    """
    if not is_judged(store, rules):
        started = time.monotonic()
        days = rejudge(store, rules)
        log.info("judged all history", rule_set=rules.version, days=days, seconds=round(time.monotonic() - started, 1))
