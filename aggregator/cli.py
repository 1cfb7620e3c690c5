"""`blockonset aggregator`: take measurements in, draw conclusions, answer questions."""

from __future__ import annotations

import contextlib
import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aggregator import config
from aggregator.judging import judge
from aggregator.judging import rule_set as rules
from aggregator.store.store import Store

app = App(name="aggregator", help="Take measurements in, judge them, infer the onsets, and answer over HTTP.")

StoreDsn = Annotated[
    str | None, Parameter(help="chdb:///absolute/path or http(s)://host:port/database. Default: .blockonset/store.")
]
Urls = Annotated[
    tuple[str, ...],
    Parameter(help="URL of the NATS server; may be given more than once.", negative="", show_default=False),
]
WatchFiles = Annotated[
    tuple[Path, ...],
    Parameter(help="A watch to serve; may be given more than once.", negative="", show_default=False),
]


@app.default
@app.command
def run(
    *,
    nats: Urls = (),
    store: StoreDsn = None,
    watch: WatchFiles = (),
    key: Annotated[Path | None, Parameter(help="Key by which NATS knows the aggregator; made if missing.")] = None,
    operator_key: Annotated[Path | None, Parameter(help="Key that signs receipts; made if missing.")] = None,
    api_port: Annotated[int | None, Parameter(help="Port of the API on loopback; 0 picks a free one.")] = None,
    prefixes: Annotated[Path | None, Parameter(help="Prefix table for /v1/whoami.")] = None,
) -> None:
    """Run until told to stop (Ctrl-C, SIGTERM). Prints {"api": URL} on a line of its own once it answers.

    What isn't given here is taken from the environment: BLOCKONSET_NATS, BLOCKONSET_STORE and so on.
    """
    from aggregator import service  # noqa: PLC0415 - the web framework is needed by this command only

    service.run(
        config.load(
            nats=nats,
            store=store,
            watch=watch,
            key=key,
            operator_key=operator_key,
            api_port=api_port,
            prefixes=prefixes,
        )
    )


@app.command
def rejudge(
    *,
    store: StoreDsn = None,
    rule_set: Annotated[str | None, Parameter(help="Version of the rules. Default: the newest.")] = None,
    json: Annotated[bool, Parameter(help="Print JSON.")] = False,
) -> None:
    """Judge all history under a rule set. Verdicts under other rule sets stay. Stop the aggregator first."""
    chosen = rules.load(rule_set or rules.newest())
    with contextlib.closing(Store.open(config.load(store=store).store, create=False)) as opened:
        days = judge.rejudge(opened, chosen)
    if json:
        sys.stdout.write(jsonlib.dumps({"rule_set": chosen.version, "days": days}) + "\n")
    else:
        sys.stdout.write(f"judged {days} days under the rule set {chosen.version}\n")
