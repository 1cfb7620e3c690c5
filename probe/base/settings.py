"""A program's settings as a msgspec struct, read from a TOML file, the environment and the command line.

An error names the file and the key, the variable, or the option. Keys of a nested struct form a table in the file; a
variable's name is the program's prefix, the table's name and the key's, such as `BLOCKONSET_PROBE_VANTAGE_ASN`. In a
variable the items of a list are separated by commas.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

import msgspec

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Shape = TypeVar("Shape", bound=msgspec.Struct)


def of_file(path: Path, shape: type[msgspec.Struct], paths: Collection[str]) -> dict[str, Any]:
    """The keys that a TOML file sets; those in `paths` are made absolute, since they are relative to the file.

    Raises UserError for a file that can't be read and for an unknown key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UserError(f"config {path}: can't be read: {e.strerror}") from e
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(f"config {path}: not a TOML file: {e}") from e
    _check_keys(table, shape, f"config {path}")
    for key in paths:
        if table.get(key):
            table[key] = _absolute(table[key], path.absolute().parent)
    return table


def of_environment(environment: Mapping[str, str], shape: type[msgspec.Struct], prefix: str) -> dict[str, Any]:
    """The keys that the environment sets, by field. Raises UserError that names the variable."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        name = prefix + field.name.upper()
        if nested := _struct(field):
            if inner := of_environment(environment, nested, f"{name}_"):
                values[field.name] = inner
        elif name in environment:
            values[field.name] = _converted(environment[name], field, f"environment {name}")
    return values


def of_options(given: Mapping[str, object], shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys that options of the command line set; None and () are options that were not given."""
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    return {
        name: _converted(value, fields[name], f"--{name.replace('_', '-')}")
        for name, value in given.items()
        if value not in (None, ())
    }


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of all tables. Where several set one, the last of them wins."""
    result: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            both_tables = isinstance(value, dict) and isinstance(result.get(name), dict)
            result[name] = {**result[name], **value} if both_tables else value
    return result


def complete(table: Mapping[str, Any], shape: type[Shape], source: str) -> Shape:
    """The settings. Raises UserError for a key that is wrong or required; `source` is what the message begins with."""
    for field in msgspec.structs.fields(shape):
        if field.required and field.name not in table:
            raise UserError(f"{source}: {field.name} is missing")
    try:
        return msgspec.convert(table, shape, dec_hook=_path)
    except msgspec.ValidationError as e:
        raise UserError(f"{source}: {e}") from e


def variables(shape: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    """The name of each variable that `of_environment` reads."""
    for field in msgspec.structs.fields(shape):
        name = prefix + field.name.upper()
        if nested := _struct(field):
            yield from variables(nested, f"{name}_")
        else:
            yield name


def _struct(field: msgspec.structs.FieldInfo) -> type[msgspec.Struct] | None:
    return field.type if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct) else None


def _converted(value: object, field: msgspec.structs.FieldInfo, source: str) -> Any:
    """A text, or what the command line made of one, as the field's type. Raises UserError."""
    if isinstance(value, str) and get_origin(field.type) is tuple:
        value = [item.strip() for item in value.split(",") if item.strip()]
    elif isinstance(value, tuple):
        value = [str(item) for item in value]
    elif isinstance(value, Path):
        value = str(value)
    try:
        return msgspec.convert(value, field.type, strict=False, dec_hook=_path)
    except msgspec.ValidationError as e:
        raise UserError(f"{source}: {e}") from e


def _path(kind: type, value: Any) -> Any:
    """What msgspec calls for a type that it doesn't know: here only Path."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError(kind)


def _absolute(value: Any, directory: Path) -> Any:
    if isinstance(value, list):
        return [_absolute(item, directory) for item in value]
    return str(directory / value) if isinstance(value, str) else value


def _check_keys(table: Mapping[str, Any], shape: type[msgspec.Struct], source: str, within: str = "") -> None:
    """Raise UserError for the first key of a file that the struct doesn't have."""
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for key, value in table.items():
        if key not in fields:
            import difflib  # noqa: PLC0415 - a probe that runs has no use for it

            near = difflib.get_close_matches(key, fields, 1)
            raise UserError(
                f"{source}: unknown key {within}{key}" + (f": did you mean {within}{near[0]}?" if near else "")
            )
        if (nested := _struct(fields[key])) and isinstance(value, dict):
            _check_keys(value, nested, source, f"{within}{key}.")
