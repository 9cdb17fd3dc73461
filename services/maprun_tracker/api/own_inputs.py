"""Inputs of what AWS has no operation for: questions and acts under `/maprun`. Values of a query come as text."""

from collections.abc import Mapping
from typing import ClassVar

from services.maprun_tracker.api.inputs import EXECUTION_STATUS, LONG_ARN, PAGE, TOKEN, Input
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


class ChildrenAsked(Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/children`; what is given must hold of a child, all of it."""

    rules: ClassVar[Mapping[str, Rule]] = {
        "map_run_arn": LONG_ARN,
        "next_token": TOKEN,
        "status": EXECUTION_STATUS,
        "redrive": Choice(("latest",)),
        "error": Text(1, 256),
        "cause_pattern": Text(1, 256),
        "text": Text(1, 256),
        "max_results": PAGE,
    }
    map_run_arn: str | None = None
    next_token: str | None = None
    status: str | None = None
    redrive: str | None = None
    error: str | None = None
    cause_pattern: str | None = None
    text: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    min_redrives: int | None = None
    max_results: int | None = None


class LogsAsked(Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/function-logs`."""

    rules: ClassVar[Mapping[str, Rule]] = {"execution_arn": LONG_ARN}
    execution_arn: str | None = None


class RedriveChildren(Input, frozen=True, kw_only=True):
    """Input of `POST /maprun/redrive`: the children by indexes, flat (first, count, …), by ARNs, or by both."""

    rules: ClassVar[Mapping[str, Rule]] = {"map_run_arn": LONG_ARN, "client_token": Text(1, 64, pattern="[!-~]+")}
    map_run_arn: str | None = None
    client_token: str | None = None
    children: tuple[int, ...] = ()
    execution_arns: tuple[str, ...] = ()
