"""What the next generation of a Map Run runs again: all that did not succeed, or the children that were chosen."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from maprun.mapruns.child_sets import ChildSet
from maprun.mapruns.run import Run, Tally, take_off
from maprun.mapruns.verdicts import LOST, NEVER_STARTED
from schemas.asks import RedriveStage, StageCut
from schemas.home import RETURNED, ChosenChildren

CHOSEN_BYTES_MAX = 256 << 10
"""Of a set of chosen children: it stands in every ask for items, and in the state of home."""
NESTED = "Only child executions of a Map Run that the execution itself started can be chosen for a redrive."
CHANGED = "The Map Run has changed since its child executions were chosen; choose again."


class LostChild(msgspec.Struct, frozen=True):
    """A child that ended unsuccessfully, and the offset of the frame that says so."""

    index: int
    status: int
    offset: int
    items: int


def stages_to_come(run: Run) -> tuple[RedriveStage, ...]:
    """Where the next generation's children are: those lost before those never started, the newest first of each."""
    lost = [_stage(run, lost=True, count=sum(run.count(status).children for status in LOST))]
    never = [_stage(run, lost=False, count=sum(run.count(status).children for status in NEVER_STARTED))]
    passed = run.read
    for stage in run.stages:
        done = min(passed, stage.count)
        passed -= done
        left = msgspec.structs.replace(stage, skip=stage.skip + done, count=stage.count - done)
        (lost if stage.lost else never).append(left)
    for stage in run.aside:
        (lost if stage.lost else never).append(stage)
    return tuple(stage for stage in [*lost, *never] if stage.count)


def unwritten_stage(run: Run, count: int) -> RedriveStage:
    """The successes of the present generation, for whoever writes them later."""
    return _stage(run, lost=False, count=count)


def carried_to_come(run: Run) -> dict[int, Tally]:
    """The unsuccessful children of those stages, by how they ended."""
    carried: dict[int, Tally] = {}
    for status in LOST:
        _add(carried, status, run.count(status))
    for status in NEVER_STARTED:
        _add(carried, RETURNED, run.count(status))
    for left in (run.carried, run.carried_aside):
        for status, tally in left.items():
            _add(carried, status, tally)
    return carried


def _add(carried: dict[int, Tally], status: int, tally: Tally) -> None:
    had = carried.setdefault(status, Tally())
    had.children += tally.children
    had.items += tally.items


def _stage(run: Run, *, lost: bool, count: int) -> RedriveStage:
    return RedriveStage(
        run.generation, run.generation_offset + 1, run.answered_offset + 1, run.asked, lost, skip=0, count=count
    )


# ---------------------------------------------------------------------- some children only


def chosen_of(run: Run, lost: Iterable[LostChild]) -> ChosenChildren:
    """What a request to redrive these children says of a run that is over. Raises LookupError: one is not lost."""
    stages = [_Members(stage) for stage in stages_to_come(run)]
    counts = [0] * len(stages)
    tallies: dict[int, Tally] = {}
    indexes: list[int] = []
    for child in lost:
        place = next((place for place, stage in enumerate(stages) if stage.holds(child)), None)
        if place is None:
            raise LookupError(child.index)
        counts[place] += 1
        indexes.append(child.index)
        _add(tallies, child.status, Tally(1, child.items))
    return ChosenChildren(
        run.run,
        run.generation,
        ChildSet((index, 1) for index in indexes).encode(),
        tuple(counts),
        tuple(n for status, tally in sorted(tallies.items()) for n in (status, tally.children, tally.items)),
    )


class _Members:
    """Which lost children stand in a stage."""

    def __init__(self, stage: RedriveStage) -> None:
        self._stage = stage
        self._cuts = [(ChildSet.decode(cut.children), cut.inside) for cut in stage.cuts]

    def holds(self, child: LostChild) -> bool:
        """True of a child of this stage. Who was passed over of it stands in a newer frame."""
        stage = self._stage
        if not stage.lost or not stage.first_offset <= child.offset < stage.end_offset:
            return False
        return all((child.index in children) == inside for children, inside in self._cuts)


def unfit(run: Run, chosen: ChosenChildren) -> str:
    """Why these children can't be what the next generation of a run runs; empty when they can."""
    if run.parent is not None:
        return NESTED
    stages, carried = stages_to_come(run), carried_to_come(run)
    fits = (
        run.phase == "closed"
        and run.generation == chosen.generation
        and len(stages) == len(chosen.of_stages)
        and all(0 <= count <= stage.count for stage, count in zip(stages, chosen.of_stages, strict=True))
        and not any(count for stage, count in zip(stages, chosen.of_stages, strict=True) if not stage.lost)
        and all(_within(carried.get(status), children, items) for status, children, items in _triples(chosen.tallies))
        and 0 < sum(chosen.of_stages) == sum(children for _, children, _ in _triples(chosen.tallies))
    )
    return "" if fits else CHANGED


def _within(tally: Tally | None, children: int, items: int) -> bool:
    return tally is not None and 0 <= children <= tally.children and 0 <= items <= tally.items


def choose(run: Run, chosen: ChosenChildren) -> None:
    """Of the generation that begins the chosen children alone run; all else is put aside until the next one."""
    stages: list[RedriveStage] = []
    aside: list[RedriveStage] = []
    for stage, count in zip(run.stages, chosen.of_stages, strict=True):
        if count:
            stages.append(_cut(stage, chosen.children, count, inside=True))
        if count < stage.count:
            aside.append(_cut(stage, chosen.children, stage.count - count, inside=False) if count else stage)
    run.stages, run.aside, run.chosen = tuple(stages), tuple(aside), chosen.children
    run.carried, run.carried_aside = {}, run.carried
    for status, children, items in _triples(chosen.tallies):
        take_off(run.carried_aside, status, children, items)
        run.carried[status] = Tally(children, items)
    run.total = run.staged


def _cut(stage: RedriveStage, children: bytes, count: int, *, inside: bool) -> RedriveStage:
    cuts = (*stage.cuts, StageCut(stage.skip, children, inside))
    return msgspec.structs.replace(stage, skip=0, count=count, cuts=cuts)


def _triples(flat: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    numbers = iter(flat)
    return zip(numbers, numbers, numbers, strict=True)
