"""The watches that an aggregator serves, and the command that checks, signs and shows one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.base.errors import UserError
from probe.protocol import envelope, watch_file
from probe.protocol.watch import Watch
from probe.protocol.watch_file import WatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.store.store import Store


class LoadedWatch(NamedTuple):
    """A watch, its text byte for byte, and who signed it ("" for nobody)."""

    watch: Watch
    text: bytes
    signer: str


def load(path: Path) -> LoadedWatch:
    """Read a watch, signed or not. One that has expired is read all the same: its late data still arrive.

    Raises UserError for a file that can't be read, isn't a watch, or has a wrong signature.
    """
    try:
        raw = path.read_bytes()
        if not raw.startswith(b"BO1W"):
            return LoadedWatch(watch_file.read(raw, str(path)), raw, "")
        opened = envelope.open(raw, "W")
        return LoadedWatch(watch_file.read(opened.body, str(path)), opened.body, opened.signer_id)
    except OSError as e:
        raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
    except envelope.EnvelopeError as e:
        raise UserError(f"watch {path}: {e}") from e
    except WatchError as e:
        raise UserError(f"watch {e}") from e


def serve(store: Store, paths: Iterable[Path], operator_id: str) -> dict[str, Watch]:
    """The watches to serve, by id: those named, and those that this store served before. New texts are kept in it.

    Raises UserError for a file that is no watch or that another operator signed, for an id that stands in two files,
    and where there is no watch at all. Raises StoreError.
    """
    kept = {row["watch"]: (row["digest"], row["text"]) for row in store.read("watch_texts")}
    served: dict[str, Watch] = {}
    for path in paths:
        found = load(path)
        if found.signer not in ("", operator_id):
            raise UserError(f"watch {path}: signed by {found.signer}, not by the operator {operator_id}")
        if found.watch.id in served:
            raise UserError(f"watch {path}: another file has the id {found.watch.id!r}, too")
        served[found.watch.id] = found.watch
        if kept.get(found.watch.id, ("", ""))[0] != found.watch.digest:
            _keep(store, found)
    for name, (_, text) in kept.items():
        if name not in served:
            served[name] = watch_file.read(text.encode(), f"the store's watch {name}")
    if not served:
        raise UserError("no watch to serve: name one with --watch FILE")
    return served


def _keep(store: Store, found: LoadedWatch) -> None:
    row = {
        "watch": found.watch.id,
        "digest": found.watch.digest,
        "since": int(time.time() * 1000),
        "text": found.text.decode(),
    }
    store.insert_row("watches", row)
