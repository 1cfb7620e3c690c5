"""The API's manual as one page, made from the OpenAPI document. It needs no scripts and no other host."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from litestar import MediaType, Response, get

from aggregator.api.problems import ApiRequest
from aggregator.api.requests import hashed

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d9dde3, #333a45); --soft: light-dark(#f5f6f8, #1b2028); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
code { font-family: ui-monospace, monospace; font-size: .92em; }
h2 code { font-size: 1.05rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
nav ul { columns: 2 22rem; padding-left: 1.1rem; }
section.shape { background: var(--soft); padding: .2rem 1rem 1rem; margin: 1rem 0; }
"""
_CODE = re.compile(r"`([^`]*)`")
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@get("/openapi.json", include_in_schema=False, opt={"shows": "manual"}, sync_to_thread=True)
def document(request: ApiRequest) -> Response[dict[str, Any]]:
    """The OpenAPI document."""
    return hashed(request, request.app.state.document)


@get("/docs", include_in_schema=False, opt={"shows": "manual"}, media_type=MediaType.HTML, sync_to_thread=True)
def page(request: ApiRequest) -> Response[str]:
    """The manual as HTML."""
    return hashed(request, render(request.app.state.document), _HEADERS)


def render(document: dict[str, Any]) -> str:
    """An OpenAPI document as an HTML page."""
    operations = [(p, o["get"]) for p, o in sorted(document["paths"].items())]
    info, shapes = document["info"], document.get("components", {}).get("schemas", {})
    links = "".join(f'<li><a href="#{escape(p)}"><code>{escape(p)}</code></a></li>' for p, _ in operations)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        f"{_prose(info['summary'])}{_prose(info['description'])}"
        '<p>The same in a form for programs: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>'
        f"<nav><ul>{links}</ul></nav>"
        f"{''.join(_operation(p, o) for p, o in operations)}"
        f"<h2>Shapes</h2>{''.join(_shape(n, s) for n, s in sorted(shapes.items()))}</html>"
    )


def _operation(path: str, operation: dict[str, Any]) -> str:
    parameters = [
        (p["name"], p["in"], _type(p["schema"]), p.get("description", "")) for p in operation.get("parameters", ())
    ]
    answers = [(code, _content(r), r.get("description", "")) for code, r in sorted(operation["responses"].items())]
    return (
        f'<h2 id="{escape(path)}"><code>GET {escape(path)}</code></h2>{_prose(operation.get("description", ""))}'
        f"{_table(('parameter', 'in', 'type', 'meaning'), parameters) if parameters else ''}"
        f"{_table(('answer', 'shape', 'meaning'), answers)}"
    )


def _shape(name: str, schema: dict[str, Any]) -> str:
    fields = [(f, _type(s), s.get("description", "")) for f, s in schema.get("properties", {}).items()]
    described = _prose(schema.get("description", ""))
    return (
        f'<section class="shape" id="shape-{escape(name)}"><h3>{escape(name)}</h3>{described}'
        f"{_table(('field', 'type', 'meaning'), fields) if fields else ''}</section>"
    )


def _content(response: dict[str, Any]) -> str:
    """The name of a response's shape, or its media type."""
    for media, content in response.get("content", {}).items():
        schema = content.get("schema", {})
        return _type(schema) if "$ref" in schema or "oneOf" in schema else media
    return ""


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words. A shape is given by its name."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "oneOf" in schema:
        return " or ".join(_type(s) for s in schema["oneOf"])
    if "enum" in schema:
        return " | ".join("null" if v is None else str(v) for v in schema["enum"])
    kind = schema.get("type", "anything")
    if "prefixItems" in schema:
        return f"[{', '.join(_type(s) for s in schema['prefixItems'])}]"
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{words} ({schema['format']})" if "format" in schema else words


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join(f"<tr>{''.join(f'<td>{_inline(c)}</td>' for c in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{titles}</tr>{body}</table></div>'


def _prose(text: str) -> str:
    """Text as paragraphs of HTML, with parts in backticks as code."""
    return "".join(f"<p>{_inline(p)}</p>" for p in text.split("\n\n") if p.strip())


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
