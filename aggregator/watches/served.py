"""Reading watch files, and choosing the watches that an aggregator serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.protocol import watch_file
from probe.protocol.watch import Watch
from probe.protocol.watch_file import WatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.store.store import Store


class LoadedWatch(NamedTuple):
    """A watch, its text byte for byte, and the id of the key that signed it ("" for an unsigned one)."""

    watch: Watch
    text: bytes
    signer: str


def load(path: Path) -> LoadedWatch:
    """Read a watch, signed or not. An expired one is accepted too, because probes still deliver data about it.

    Raises UserError for a file that can't be read, isn't a watch, or has a wrong signature.
    """
    try:
        text, signer = watch_file.text_of(path.read_bytes(), str(path))
        return LoadedWatch(watch_file.read(text, str(path)), text, signer)
    except OSError as e:
        raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
    except WatchError as e:
        raise UserError(f"watch {e}") from e


def serve(store: Store, paths: Iterable[Path], operator_id: str) -> dict[str, Watch]:
    """The watches to serve, by id: those in the files, and those that this store served before.

    A text that is new, or in force again, is added to the store. Raises UserError for a file that is not a watch or
    that another operator signed, for an id that two files have, and when there is no watch at all. Raises StoreError.
    """
    stored = {row["watch"]: (row["digest"], row["text"]) for row in store.read("watch_texts")}
    served: dict[str, Watch] = {}
    for path in paths:
        loaded = load(path)
        if loaded.signer not in ("", operator_id):
            raise UserError(
                f"watch {path}: signed by {loaded.signer}, not by the operator {operator_id}. "
                "Sign it with --operator-key's key: blockonset watch sign"
            )
        if loaded.watch.id in served:
            raise UserError(f"watch {path}: another --watch file has the id {loaded.watch.id!r} too. Leave one out.")
        served[loaded.watch.id] = loaded.watch
        if stored.get(loaded.watch.id, ("", ""))[0] != loaded.watch.digest:
            _insert(store, loaded)
    for watch_id, (_, text) in stored.items():
        if watch_id not in served:
            served[watch_id] = watch_file.read(text.encode(), f"the store's watch {watch_id}")
    if not served:
        raise UserError("no watch to serve: name one with --watch FILE")
    return served


def _insert(store: Store, loaded: LoadedWatch) -> None:
    row = {
        "watch": loaded.watch.id,
        "digest": loaded.watch.digest,
        "since": now_ms(),
        "text": loaded.text.decode(),
    }
    store.insert_row("watches", row)
