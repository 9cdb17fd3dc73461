"""`GET /maprun/map-runs`: the Map Runs that are open, or wait to be, on all homes."""

from collections.abc import Iterable, Sequence
from typing import Final

from services.maprun_tracker.api import inputs, watching_shapes
from services.maprun_tracker.api.runs import description_of, expected_of
from services.maprun_tracker.api.service import Call, Service

RUNS_MAX: Final = 100
"""The newest are shown; how many there are stands beside them."""


class OpenRunsAsked(inputs.Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/map-runs`: nothing."""


async def open_runs(service: Service, _ask: OpenRunsAsked, _call: Call) -> watching_shapes.OpenMapRunList:
    """Those of this process's homes."""
    live = [
        (part, run)
        for part in service.parts.owned().values()
        for run in part.home.state.runs.values()
        if run.phase != "closed"
    ]
    live.sort(key=lambda each: each[1].started_ms, reverse=True)
    shown = []
    for part, run in live[:RUNS_MAX]:
        row = part.run_row(run)
        described = description_of(part, row)
        fields = {name: getattr(described, name) for name in described.__struct_fields__}
        shown.append(
            watching_shapes.OpenMapRun(
                **fields,
                state_machine_arn=service.names.labelled_machine(row.machine_name, row.label),
                waiting=run.phase == "queued",
                items_expected=expected_of(run, described.item_counts["total"]),
            )
        )
    return watching_shapes.OpenMapRunList(map_runs=shown, count=len(live), homes=sorted(service.parts.owned()))


def merged(lists: Sequence[watching_shapes.OpenMapRunList], homes: int) -> watching_shapes.OpenMapRunList:
    """One list of those of several processes, the newest first; what is missing is said."""
    rows = [row for each in lists for row in each.map_runs]
    told = _numbers(each.homes for each in lists)
    return watching_shapes.OpenMapRunList(
        map_runs=sorted(rows, key=lambda row: (-row.start_date, row.map_run_arn))[:RUNS_MAX],
        count=sum(each.count for each in lists),
        homes=sorted(told),
        missing_homes=sorted(set(range(homes)) - told),
    )


def _numbers(lists: Iterable[list[int]]) -> set[int]:
    return {number for each in lists for number in each}
