"""The schemas of structs in the OpenAPI document."""

from typing import Annotated

import msgspec
from litestar import Litestar, get

from aggregator.api.descriptions import StructSchemas, field_docstrings
from aggregator.api.shapes import Health
from tests.support.empty_api import empty_api


class Base(msgspec.Struct):
    """Fields of a base."""

    first: int
    """Of the base."""
    second: int
    """Of the base, and replaced."""


class Derived(Base, rename={"third": "3rd"}):
    """Fields of its own."""

    second: int
    """On
    two lines."""
    third: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Under another name in JSON."""
    silent: int = 0
    one: Base | None = None
    """One of another struct, or none."""
    some: tuple[Base, ...] = ()
    """Some of another struct."""
    limited: Annotated[tuple[Base, ...], msgspec.Meta(max_length=9)] = ()
    """At most nine of another struct."""

    def method(self) -> int:
        """Of no field."""
        return self.silent


def test_the_text_below_a_field_is_its_docstring():
    """Those of bases included; the struct's own docstring and those of methods are of no field."""
    assert field_docstrings(Derived) == {
        "first": "Of the base.",
        "second": "On\ntwo lines.",
        "3rd": "Under another name in JSON.",
        "one": "One of another struct, or none.",
        "some": "Some of another struct.",
        "limited": "At most nine of another struct.",
    }


def test_a_struct_without_source_has_no_docstrings():
    """One that was made at run time."""
    assert field_docstrings(msgspec.defstruct("MadeAtRunTime", [("first", int)])) == {}


class Outer(msgspec.Struct):
    """A field that refers to another struct."""

    inner: Derived
    """Another struct."""


def test_each_field_has_its_description():
    """Whatever its type is; and the items of a limited list have one type, that of its items."""

    @get("/", sync_to_thread=False)
    def handler() -> Outer:
        raise NotImplementedError

    schemas = Litestar([handler], plugins=[StructSchemas()]).openapi_schema.to_schema()["components"]["schemas"]
    base = {"$ref": "#/components/schemas/Base"}
    inner = {"$ref": "#/components/schemas/Derived", "description": "Another struct."}
    assert schemas["Outer"]["properties"] == {"inner": inner}
    assert schemas["Outer"]["description"] == "A field that refers to another struct."
    fields = schemas["Derived"]["properties"]
    described = {name: field["description"] for name, field in fields.items() if "description" in field}
    assert described == field_docstrings(Derived)
    assert fields["3rd"]["minimum"] == 0
    assert fields["one"]["oneOf"] == [base, {"type": "null"}]
    assert (fields["some"]["items"], fields["limited"]["items"], fields["limited"]["maxItems"]) == (base, base, 9)
    assert schemas["Base"]["properties"]["first"] == {"type": "integer", "description": "Of the base."}


def test_every_shape_of_the_api_is_described():
    """With its docstring, and its fields with theirs."""
    schemas = empty_api().openapi_schema.to_schema()["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
    assert schemas["Health"]["description"] == Health.__doc__
    assert schemas["Health"]["properties"]["nats"]["description"] == field_docstrings(Health)["nats"]
    assert schemas["Measurement"]["properties"]["steps"]["items"] == {"$ref": "#/components/schemas/Step"}
