"""Tables as HTML, so that their text can be copied, printed and searched. All texts are escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell: its text, a smaller line below it, a link, a class of the style sheet, and a colour."""

    text: str
    below: str = ""
    href: str = ""
    style: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its cells by column, and `data-…` attributes for programs."""

    cells: Mapping[str, TableCell]
    data: Mapping[str, str] = field(default_factory=dict)


def table(columns: Mapping[str, str], rows: Sequence[TableRow], caption: str) -> str:
    """A table with the columns in the order of `columns`. On a narrow screen each row is shown as a card."""
    titles = "".join(f'<th scope="col" class="c-{escape(k)}">{escape(t)}</th>' for k, t in columns.items())
    body = "".join(_row(columns, row) for row in rows)
    return (
        f'<div class="bo-wide"><table class="bo-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(columns: Mapping[str, str], row: TableRow) -> str:
    data = "".join(f' data-{escape(k)}="{escape(v)}"' for k, v in row.data.items())
    cells = "".join(_cell(key, title, row.cells.get(key, TableCell(text=""))) for key, title in columns.items())
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
