"""The schemas of structs in the OpenAPI document, with the docstrings of the structs and of their fields."""

from __future__ import annotations

import ast
import inspect
import textwrap
from copy import copy
from typing import Any

import msgspec
from litestar.openapi.spec import Reference, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition


class StructSchemas(OpenAPISchemaPlugin):
    """Litestar's own schemas of structs, described by the struct's docstring and by the text below each field."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Whether a type is a struct."""
        return isinstance(value, type) and issubclass(value, msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """The schema that the next plugin for structs makes, which is Litestar's own, with descriptions."""
        others = (p for p in schema_creator.plugins if p is not self)
        own = next(p for p in others if schema_creator.plugin_supports_field(p, field_definition))
        schema: Schema = own.to_openapi_schema(field_definition, schema_creator)
        struct = field_definition.annotation
        schema.description = inspect.getdoc(struct)
        texts = field_docstrings(struct)
        schema.properties = {n: _amended(s, texts.get(n)) for n, s in (schema.properties or {}).items()}
        return schema


def _amended(schema: Schema | Reference, text: str | None) -> Schema | Reference:
    """A field's schema with a description, and with one type of items.

    A reference stays the same object, since Litestar writes its target later. For a tuple with constraints, as
    `Annotated[tuple[Step, ...], Meta(max_length=9)]`, Litestar gives the dots an empty schema beside the items' own.
    """
    if isinstance(schema, Reference):
        schema.description = text
        return schema
    amended = copy(schema)
    amended.description = text or schema.description
    match schema.items:
        case Schema(one_of=[only, Schema() as dots]) if not dots.to_schema():
            amended.items = only
    return amended


def field_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The text directly below each field of a struct, by the field's name in JSON, those of its bases included.

    A class whose source can't be read gives none.
    """
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    found = {}
    for cls in reversed(struct.__mro__):
        if cls is not msgspec.Struct and issubclass(cls, msgspec.Struct):
            try:
                source = inspect.getsource(cls)
            except OSError:
                continue
            (definition,) = ast.parse(textwrap.dedent(source)).body
            assert isinstance(definition, ast.ClassDef)
            for field, below in zip(definition.body, definition.body[1:], strict=False):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[names[name]] = inspect.cleandoc(text)
    return found
