"""What a probe asks or says on `q.<probe>`."""

from __future__ import annotations

import msgspec


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a probe asks or says on `q.<probe>`; one of these at a time.

    Segments and withdrawals are answered with a receipt, a watch with its signed text, or with nothing in it where
    the asker has the present one.
    """

    segments: tuple[str, ...] = ()
    """What became of these?"""
    withdrawal: str = ""
    """A signed line, see `probe.custody.withdrawal_delivery`: the receipt names it by `id_of`."""
    watch: str = ""
    """Is there a newer text of the watch with this id?"""
    digest: str = ""
    """`Watch.digest` of the text that the asker has."""
