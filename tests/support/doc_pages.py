"""The repository's Markdown pages, taken apart: tables, code, links, anchors."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN_BY_COMMANDS = {"benchmark-onset.md", "methods-matrix.md", "probe-light.md"}
"""Pages of measurements: `make bench-onset` and `make bench-probe` write them."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))((?: {4}.*\n|\n(?= {4}))+)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAMED_BLOCK = re.compile(r"^`([^`\n]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Every Markdown page of the repository."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def text(name: str) -> str:
    """A page of `docs/`, or one at the root as `../README.md`."""
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next of the same or a higher level. Raises KeyError."""
    code = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)  # a comment in code is no heading
    parts = re.split(r"^(#+) (.+)$", code.sub(lambda m: m[0].replace("\n# ", "\n\0# "), page), flags=re.MULTILINE)
    parts = [part.replace("\0", "") for part in parts]
    for n in range(1, len(parts), 3):
        if parts[n + 1].strip() == heading:
            body = parts[n + 2]
            for m in range(n + 3, len(parts), 3):
                if len(parts[m]) <= len(parts[n]):
                    break
                body += parts[m + 2]
            return body
    raise KeyError(f"no heading {heading!r}")


def tables(page: str) -> list[list[dict[str, str]]]:
    """The tables in a text, each as rows by column title; cells keep their Markdown."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", page + "\n", re.MULTILINE):
        lines = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        found.append([dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]])
    return found


def code(cell: str) -> list[str]:
    """The code spans in a text, on one line each."""
    return [" ".join(span.split()) for span in _SPAN.findall(cell)]


def spans(page: str) -> list[str]:
    """The code spans of a page, without those in blocks of code."""
    return code(_INDENTED.sub("\n", _FENCE.sub("", page)))


def blocks(page: str) -> list[str]:
    """The blocks of code of a page, fenced or indented by four spaces."""
    fenced = [body for _, body in _FENCE.findall(page)]
    indented = [re.sub(r"^ {4}", "", body, flags=re.MULTILINE) for body in _INDENTED.findall(_FENCE.sub("", page))]
    return fenced + indented


def fenced(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [body for name, body in _FENCE.findall(page) if name == language]


def named_blocks(page: str) -> dict[str, str]:
    """Blocks that a line with a file's path introduces, by that path."""
    return dict(_NAMED_BLOCK.findall(page))


def links(page: str) -> list[str]:
    """The targets of a page's links and images."""
    return _LINK.findall(_FENCE.sub("", page))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = _HEADING.findall(_FENCE.sub("", page))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", t).lower()).replace(" ", "-") for t in titles
    }
