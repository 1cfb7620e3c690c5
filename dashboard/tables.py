"""Tables as HTML: real text in the page, that can be read, copied, printed and found. Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell: its text, a smaller line below, a link, and a class of the style sheet."""

    text: str
    below: str = ""
    href: str = ""
    style: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its cells by column, and what it says for programs (`data-…` attributes)."""

    cells: Mapping[str, TableCell]
    data: Mapping[str, str] = field(default_factory=dict)


def table(columns: Mapping[str, str], lines: Sequence[TableRow], caption: str) -> str:
    """A table with the columns' titles in order. On a narrow screen each row stands as a card of its own."""
    titles = "".join(f'<th scope="col" class="c-{escape(k)}">{escape(t)}</th>' for k, t in columns.items())
    body = "".join(_line(columns, line) for line in lines)
    return (
        f'<div class="bo-wide"><table class="bo-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(columns: Mapping[str, str], line: TableRow) -> str:
    data = "".join(f' data-{escape(k)}="{escape(v)}"' for k, v in line.data.items())
    cells = "".join(_cell(key, title, line.cells.get(key, TableCell(text=""))) for key, title in columns.items())
    return f"<tr{data}>{cells}</tr>"


def _cell(key: str, title: str, cell: TableCell) -> str:
    text = escape(cell.text)
    if cell.href:
        text = f'<a href="{escape(cell.href)}" target="_self">{text}</a>'
    below = f"<small>{escape(cell.below)}</small>" if cell.below else ""
    colour = f' style="color:{escape(cell.colour)}"' if cell.colour else ""
    return (
        f'<td class="c-{escape(key)} {escape(cell.style)}" data-label="{escape(title)}"{colour}>'
        f"<span>{text}{below}</span></td>"
    )
