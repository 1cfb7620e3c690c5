"""The rule sets under which runs are judged."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from aggregator.api.problems import ApiRequest, documented
from aggregator.api.requests import ETAG, UNCHANGED, UNKNOWN_NAME, WRONG_PARAMETER, versioned
from aggregator.api.shapes import RuleSetShape
from aggregator.judging.rule_set import load, newest, versions

_Version = Annotated[str, PathParameter(description="A rule set's version, as `rule_set` names it in other answers.")]


@get(
    "/rule-sets/{version:str}",
    operation_id="getRuleSet",
    summary="The rules of one version",
    tags=["rules"],
    opt={"shows": "rule_sets"},
    sync_to_thread=True,
    responses=documented(s400=WRONG_PARAMETER, s404=UNKNOWN_NAME) | UNCHANGED,
    response_headers=ETAG,
)
def rules(request: ApiRequest, version: _Version) -> Response[RuleSetShape]:
    """The rules of one version in the order in which they are tried, each with the reason for its verdict.

    The first rule whose condition holds decides; other answers give its `id` as `rule`. Where a run is `down`, the rule
    with the stage `read` replaced that rule's verdict.
    """
    if version not in versions():
        raise NotFoundException(f"no rule set {version!r}; known are {', '.join(versions())}")
    rule_set = load(version)
    in_force = version == newest()
    return versioned(
        request,
        (rule_set.digest, in_force),
        lambda: RuleSetShape(version=version, digest=rule_set.digest, in_force=in_force, rules=rule_set.rules),
    )
