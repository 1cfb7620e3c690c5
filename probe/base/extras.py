"""Names the extra of the distribution `blockonset` that a missing module belongs to, and what to install."""

from __future__ import annotations

import contextlib
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DISTRIBUTION = "blockonset"
_OWN = ("probe", "aggregator", "dashboard", "infra")
_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*(?:;.*\bextra\s*==\s*['"]([\w-]+)['"])?""")


@contextlib.contextmanager
def named(needing: str, extras: Sequence[str] = ()) -> Iterator[None]:
    """Turn the ImportError for a missing module of another distribution into a UserError that says what to install.

    `needing` is what can't work, such as `blockonset dashboard`; `extras` are those that it is declared to need. A
    missing module of Blockonset itself, or one that no extra accounts for, is a bug: that error is raised as it is.
    """
    try:
        yield
    except ImportError as e:
        error = e.__cause__ if isinstance(e.__cause__, ModuleNotFoundError) else e  # as clickhouse-connect reports it
        if not isinstance(error, ModuleNotFoundError):
            raise
        module = (error.name or "").partition(".")[0]
        known = [extra for extra, requirement in requirements() if _provides(requirement, module)]
        if module in {"", *_OWN, *sys.stdlib_module_names} or not (known or extras):
            raise
        raise UserError(_message(needing, [x for x in known if x in extras] or known[:1] or extras, module)) from e


def require(needing: str, *extras: str) -> None:
    """Raise UserError for the first requirement of these extras that isn't installed, without importing any of them."""
    for extra, requirement in requirements():
        if extra not in extras:
            continue
        try:
            metadata.distribution(requirement)
        except metadata.PackageNotFoundError:
            raise UserError(_message(needing, [extra], requirement)) from None


def requirements() -> list[tuple[str, str]]:
    """Each requirement of the installed `blockonset` as (extra, distribution); the extra is "" in the base install."""
    found = (_REQUIREMENT.match(line) for line in metadata.requires(_DISTRIBUTION) or ())
    return [(m[2] or "", m[1]) for m in found if m]


def _provides(requirement: str, module: str) -> bool:
    """Whether a distribution's name is a module's, apart from - and _ and an ending such as `-bin`."""
    name = requirement.lower().replace("-", "_").replace(".", "_")
    return name == module.lower() or name.startswith(f"{module.lower()}_")


def _message(needing: str, extras: Sequence[str], missing: str) -> str:
    named_extras = ",".join(x for x in extras if x)
    what = f"'{_DISTRIBUTION}[{named_extras}]'" if named_extras else _DISTRIBUTION
    return f"{needing} needs: pip install {what} ({missing} is not installed)"
