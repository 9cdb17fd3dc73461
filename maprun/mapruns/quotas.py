"""How MaxConcurrency is divided over lanes, and how units of it move when it changes or when lanes run dry."""

from maprun.mapruns.run import Run, lanes_owing, split_quota
from schemas.arns import murmur2


def first_quotas(run_key: str, concurrency: int, lanes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lanes a run begins on and their quotas."""
    return split_quota(concurrency, lanes, murmur2(run_key.encode()))


def change_concurrency(run: Run, concurrency: int, lanes: int) -> dict[int, int]:
    """Divides a new MaxConcurrency; gives the lanes whose quota changed. Lanes not known yet have to be opened."""
    run.concurrency = concurrency
    return _apply(run, _division(run, lanes))


def settle(run: Run, lanes: int) -> dict[int, int]:
    """Moves units from lanes that owe no answer to lanes without quota that do; gives the lanes that changed."""
    return _apply(run, _division(run, lanes))


def _division(run: Run, lanes: int) -> dict[int, int]:
    """The quotas as they should be now.

    With at least one unit a lane the split is even. With fewer a lane keeps its unit while it owes answers: only so
    are there never more children under way than units. (After MaxConcurrency was lowered, children that run already
    run on, as on AWS.)
    """
    wanted_lanes, wanted = split_quota(run.concurrency, lanes, murmur2(run.run.encode()))
    if run.concurrency >= lanes:
        return dict(zip(wanted_lanes, wanted, strict=True))
    owes = lanes_owing(run)
    had = dict(zip(run.lanes, run.quotas, strict=True))
    holders = [lane for lane in run.lanes if had[lane] and lane in owes]
    others = [lane for lane in run.lanes if not had[lane] and lane in owes]
    idle = [lane for lane in wanted_lanes if lane not in owes]
    return dict.fromkeys([*holders, *others, *idle][: run.concurrency], 1)


def _apply(run: Run, division: dict[int, int]) -> dict[int, int]:
    had = dict(zip(run.lanes, run.quotas, strict=True))
    changed = {lane: quota for lane, quota in division.items() if had.get(lane) != quota}
    changed.update({lane: 0 for lane, quota in had.items() if quota and lane not in division})
    had.update(changed)
    run.lanes = tuple(sorted(had))
    run.quotas = tuple(had[lane] for lane in run.lanes)
    return changed
