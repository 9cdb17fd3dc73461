"""Inputs of what AWS has no operation for: questions and acts under `/maprun`. Values of a query come as text."""

from collections.abc import Mapping
from typing import ClassVar

from services.maprun_tracker.api.inputs import LONG_ARN, TOKEN, Input
from services.maprun_tracker.api.rules import Choice, Rule, Text


class ErrorsAsked(Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/errors`. With `children` clusters say which children are in them."""

    rules: ClassVar[Mapping[str, Rule]] = {
        "map_run_arn": LONG_ARN,
        "next_token": TOKEN,
        "children": Choice(("true", "false")),
    }
    map_run_arn: str | None = None
    next_token: str | None = None
    children: str | None = None


class RedriveChildren(Input, frozen=True, kw_only=True):
    """Input of `POST /maprun/redrive`: the children by indexes, flat (first, count, …), by ARNs, or by both."""

    rules: ClassVar[Mapping[str, Rule]] = {"map_run_arn": LONG_ARN, "client_token": Text(1, 64, pattern="[!-~]+")}
    map_run_arn: str | None = None
    client_token: str | None = None
    children: tuple[int, ...] = ()
    execution_arns: tuple[str, ...] = ()
