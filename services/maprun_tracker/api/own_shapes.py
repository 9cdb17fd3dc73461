"""Outputs of what AWS has no operation for: questions and acts under `/maprun`."""

from services.maprun_tracker.api import shapes


class MapRunProgress(shapes.Output, frozen=True, kw_only=True):
    """Of `GET /maprun/progress`. While the source is read `items_expected` is an estimate from the share of its bytes.

    Neither it nor the share is there where the source's length isn't known, as of a listing.
    """

    map_run_arn: str
    items_read: int
    source_ended: bool
    source_share_read: float | None = None
    items_expected: int | None = None


class ErrorCluster(shapes.Output, frozen=True, kw_only=True):
    """Children that ended alike: with this status, this error and causes of this pattern. Both are absent of no error.

    Dates are of their ends. `cause_sample` is the cause of the first of `execution_arns`. `children` are the indexes of
    all of them, flat (first, count, …), where that was asked for.
    """

    status: str
    count: int
    first_date: float
    last_date: float
    execution_arns: list[str]
    error: str | None = None
    cause_pattern: str | None = None
    cause_sample: str | None = None
    children: tuple[int, ...] | None = None


class ErrorClusters(shapes.Output, frozen=True, kw_only=True):
    """Of `GET /maprun/errors`: a part of a Map Run's unsuccessful children, by how they ended, the most frequent first.

    The whole is the sum of all parts.
    """

    map_run_arn: str
    children_counted: int
    clusters: list[ErrorCluster]
    next_token: str | None = None


class ResultFileShown(shapes.Output, frozen=True, kw_only=True):
    """One of a Map Run's result files, with the first of its records, as text that may be cut."""

    status: str
    key: str
    size: int
    first_records: list[str] | None = None


class MapRunResults(shapes.Output, frozen=True, kw_only=True):
    """Of `GET /maprun/results`. Without a manifest nothing was written, or not yet.

    `error` says why its files can't be read.
    """

    map_run_arn: str
    bucket: str | None = None
    manifest_key: str | None = None
    files: tuple[ResultFileShown, ...] = ()
    files_in_all: int = 0
    error: str | None = None


class FunctionLog(shapes.Output, frozen=True, kw_only=True):
    """What one call of a function has printed, under Lambda's START line; `truncated`: the end of it is left out."""

    function_name: str
    request_id: str
    log: str
    truncated: bool


class FunctionLogs(shapes.Output, frozen=True, kw_only=True):
    """Of `GET /maprun/function-logs`: calls that printed something or failed; `truncated`: there are more.

    `error` says why logs can't be had, or those of some hosts.
    """

    execution_arn: str
    calls: tuple[FunctionLog, ...] = ()
    truncated: bool = False
    error: str | None = None


class FoundChild(shapes.ExecutionItem, frozen=True, kw_only=True):
    """A child of a Map Run that was looked for, with what it ended with; a long cause is cut."""

    error: str | None = None
    cause: str | None = None


class FoundChildren(shapes.Output, frozen=True, kw_only=True):
    """Of `GET /maprun/children`: those of the children looked at that are as they were asked for, newest first."""

    map_run_arn: str
    children_looked_at: int
    executions: list[FoundChild]
    next_token: str | None = None
