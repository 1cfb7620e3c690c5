"""The shapes that the pages read, against the API's OpenAPI document."""

import typing

import httpx
import msgspec
import pytest

from dashboard import shapes

SHAPES = {
    "/v1/watches": shapes.WatchListView,
    "/v1/watches/{watch}/onsets": shapes.OnsetsView,
    "/v1/watches/{watch}/providers/{provider}": shapes.ProviderPageView,
    "/v1/watches/{watch}/providers/{provider}/series": shapes.SeriesView,
    "/v1/rule-sets/{version}": shapes.RuleSetView,
    "/healthz": shapes.HealthView,
}
"""What the pages read, by the path of the API."""
SCALARS = {str: ("string",), int: ("integer",), float: ("number", "integer"), bool: ("boolean",)}
CONTAINERS = {tuple: ("array", "items", 0), dict: ("object", "additionalProperties", 1)}
"""By Python type: the JSON type, the schema's key for the elements, and the position of their type in the arguments."""


@pytest.fixture(scope="module")
def document(api):
    """The API's OpenAPI document."""
    return httpx.get(f"{api}/openapi.json").json()


@pytest.mark.parametrize("path", SHAPES)
def test_the_api_has_every_field_that_a_page_reads(document, path):
    """Each field of a shape exists in the answer of its path, with a type that the shape accepts."""
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(mismatches(document, schema, SHAPES[path], path)) == []


def test_a_missing_field_and_another_type_are_noticed(document):
    """The comparison finds fields that don't exist, types that don't fit, and null where the shape has none."""

    class WrongView(msgspec.Struct):
        as_of: str
        headline: int
        absent: str

    schema = {"$ref": "#/components/schemas/Onsets"}
    problems = list(mismatches(document, schema, WrongView, "onsets"))
    assert [line.split(":")[0] for line in problems] == ["onsets.as_of", "onsets.headline", "onsets.absent"]


def mismatches(document, schema, expected, where):
    """What in a JSON schema doesn't fit a type of a shape: one text each, which names the field."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    alternatives = schema.get("oneOf", [schema])
    accepts_null = type(None) in typing.get_args(expected)
    if any(a.get("type") == "null" for a in alternatives) and not accepts_null:
        yield f"{where}: the API may answer null"
    if accepts_null:
        (expected,) = (t for t in typing.get_args(expected) if t is not type(None))
    for one in alternatives:
        if one.get("type") != "null":
            yield from _mismatches(document, one, expected, where)


def _mismatches(document, schema, expected, where):
    if "$ref" in schema or "oneOf" in schema:
        yield from mismatches(document, schema, expected, where)
    elif isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        for field in msgspec.structs.fields(expected):
            if field.encode_name in schema.get("properties", {}):
                below = schema["properties"][field.encode_name]
                yield from mismatches(document, below, field.type, f"{where}.{field.name}")
            else:
                yield f"{where}.{field.name}: the API has no such field"
    elif typing.get_origin(expected) in CONTAINERS:
        json_type, key, argument = CONTAINERS[typing.get_origin(expected)]
        if schema.get("type") == json_type and key in schema:
            yield from mismatches(document, schema[key], typing.get_args(expected)[argument], f"{where}[]")
        else:
            yield f"{where}: {schema.get('type')} instead of {json_type}"
    elif typing.get_origin(expected) is typing.Literal:
        if not schema.get("enum") or not set(schema["enum"]) <= set(typing.get_args(expected)):
            yield f"{where}: {schema.get('enum')} instead of one of {typing.get_args(expected)}"
    elif schema.get("type") not in SCALARS[expected]:
        yield f"{where}: {schema.get('type')} instead of {' or '.join(SCALARS[expected])}"
