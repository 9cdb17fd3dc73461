"""What TestState answers, in AWS's members: JSON values stand in it as texts."""

import msgspec


class _Members(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """A structure of an answer; a member that is None is left out."""


class ErrorDetails(_Members, frozen=True, kw_only=True):
    """Which Retry or Catch took the error."""

    catch_index: int | None = None
    retry_index: int | None = None
    retry_backoff_interval_seconds: int | None = None


class Request(_Members, frozen=True, kw_only=True):
    """The HTTP request of an HTTP Task."""

    protocol: str | None = None
    method: str | None = None
    url: str | None = None
    headers: str | None = None
    body: str | None = None


class Response(_Members, frozen=True, kw_only=True):
    """The HTTP response of an HTTP Task."""

    protocol: str | None = None
    status_code: str | None = None
    status_message: str | None = None
    headers: str | None = None
    body: str | None = None


class Exchange(msgspec.Struct, frozen=True):
    """What went over the wire for an HTTP Task."""

    request: Request
    response: Response | None = None


class Inspection(_Members, frozen=True, kw_only=True):
    """inspectionData."""

    input: str | None = None
    after_arguments: str | None = None
    after_input_path: str | None = None
    after_parameters: str | None = None
    result: str | None = None
    after_result_selector: str | None = None
    after_result_path: str | None = None
    request: Request | None = None
    response: Response | None = None
    variables: str | None = None
    error_details: ErrorDetails | None = None
    after_items_path: str | None = None
    after_item_selector: str | None = None
    after_item_batcher: str | None = None
    after_items_pointer: str | None = None
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None
    max_concurrency: int | None = None


class StateOutcome(_Members, frozen=True, kw_only=True):
    """TestStateOutput."""

    output: str | None = None
    error: str | None = None
    cause: str | None = None
    inspection_data: Inspection | None = None
    next_state: str | None = None
    status: str
