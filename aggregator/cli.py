"""`blockonset aggregator`: store and judge measurements, infer onsets, and serve the API."""

from __future__ import annotations

import contextlib
import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aggregator.config import aggregator_variables, load, store_dsn
from aggregator.judging import judge, rule_set
from aggregator.store.store import Store

app = App(
    name="aggregator",
    help="Store measurements, judge them, infer the onsets, and serve the API.\n\n"
    "Without a command it does what `run` does: give --data DIR, a directory for the store and the keys.",
)

VARIABLES = aggregator_variables()

ConfigFile = Annotated[
    Path | None, Parameter(help="A TOML file with settings; variables and options take precedence over it.")
]
DataDirectory = Annotated[
    Path | None,
    Parameter(help="Directory of the store and the keys that are not given themselves; created if missing."),
]
StoreDsn = Annotated[
    str | None, Parameter(help="chdb:///absolute/path or http(s)://host:port/database. Default: in --data.")
]
Urls = Annotated[
    tuple[str, ...],
    Parameter(help="URL of the NATS server; may be given more than once.", negative="", show_default=False),
]
WatchFiles = Annotated[
    tuple[Path, ...],
    Parameter(help="File of a watch to serve; may be given more than once.", negative="", show_default=False),
]


@app.default
@app.command
def run(
    *,
    config: ConfigFile = None,
    data: DataDirectory = None,
    nats: Urls = (),
    store: StoreDsn = None,
    watch: WatchFiles = (),
    key: Annotated[
        Path | None, Parameter(help="File of the aggregator's NATS user key; created if missing. Default: in --data.")
    ] = None,
    operator_key: Annotated[
        Path | None, Parameter(help="File of the key that signs receipts; created if missing. Default: in --data.")
    ] = None,
    api_port: Annotated[int | None, Parameter(help="Port of the API on loopback; 0 picks a free one.")] = None,
    prefixes: Annotated[Path | None, Parameter(help="File of the prefix table for /v1/whoami.")] = None,
) -> None:
    """Run the aggregator until Ctrl-C or SIGTERM. Prints {"api": URL} on a line of its own once the API answers.

    Give --data DIR, a directory for the store and the keys. Options that are not given are taken from the environment
    (BLOCKONSET_AGGREGATOR_NATS and so on), else from the file that --config or BLOCKONSET_AGGREGATOR_CONFIG names.
    """
    from aggregator import service  # noqa: PLC0415 - the web framework is needed by this command only

    service.run(
        load(
            config,
            data=data,
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
    config: ConfigFile = None,
    data: DataDirectory = None,
    store: StoreDsn = None,
    version: Annotated[
        str | None, Parameter(name="--rule-set", help="Version of the rule set. Default: the newest.")
    ] = None,
    json: Annotated[bool, Parameter(help="Print JSON.")] = False,
) -> None:
    """Judge all stored measurements under a rule set. Stop the aggregator first.

    Verdicts under other rule sets stay.
    """
    rules = rule_set.load(version or rule_set.newest())
    with contextlib.closing(Store.open(store_dsn(config, data=data, store=store), create=False)) as opened:
        days = judge.rejudge(opened, rules)
    if json:
        sys.stdout.write(jsonlib.dumps({"rule_set": rules.version, "days": days}) + "\n")
    else:
        sys.stdout.write(f"judged {days} days of measurements under the rule set {rules.version}\n")
