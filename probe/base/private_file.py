"""Writes a file that nobody else can read, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from probe.base.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read, whole or not at all. Raises UserError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UserError(f"{path}: can't be written: {e.strerror}") from e
