"""Writes files that nobody else can read, whole or not at all.

Each is written beside its place under a name that begins with `.NAME.` (`probe.panic` knows these too), mode 0600,
and then put in its place in one step. A missing directory is made, mode 0700.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file, or replace it. Raises UserError that names it."""
    try:
        replace(path, data)
    except OSError as e:
        raise UserError(f"{path}: can't be written: {e.strerror}") from e


def replace(path: Path, data: bytes) -> None:
    """Write a file, or replace it: a reader gets all of the old content or all of the new. Raises OSError."""
    with _draft(path, data, flush=False) as draft:
        draft.replace(path)


def create(path: Path, data: bytes) -> None:
    """Write a file, flushed to the disk, unless there is one: an existing file stays as it is. Raises OSError."""
    with _draft(path, data, flush=True) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


@contextlib.contextmanager
def _draft(path: Path, data: bytes, *, flush: bool) -> Iterator[Path]:
    """A new file beside `path` that holds `data`; removed at the end if it is still there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        yield draft
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
