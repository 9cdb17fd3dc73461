"""Journal records in pieces that fit: of what is written at once, and of positions that are many."""

from collections.abc import Iterator

from schemas.lanes import ChildAdopted, ChildAdvanced, LaneAdvanced, Positions, RunOver
from schemas.wire import encoded_bytes

RANGE_BYTES = 10
"""What a range of positions takes."""
Fact = ChildAdvanced | ChildAdopted | Positions | RunOver


def cut(record: LaneAdvanced, before: tuple[int, int], bytes_max: int, facts_max: int) -> list[LaneAdvanced]:
    """The record in pieces of about `bytes_max` bytes each, to be written in order.

    A single fact of a child may be larger; it is bounded before it comes here. Only the last piece says where to go on
    from: all others stand at `before`, the (items, signals) said last, so whoever comes between two of them reads the
    frames again and finds in the journal what it already has. What a record says is done at one go once it is read
    back, so it says no more than `facts_max` things of children.
    """
    if len(record.advanced) <= facts_max and encoded_bytes(record) <= bytes_max:
        return [record]
    cuts: list[list[Fact]] = [[]]
    size = advanced = 0
    for fact in _facts(record, bytes_max):
        fact_bytes = encoded_bytes(fact)
        if cuts[-1] and (size + fact_bytes > bytes_max or advanced >= facts_max):
            cuts.append([])
            size = advanced = 0
        cuts[-1].append(fact)
        size += fact_bytes
        advanced += isinstance(fact, ChildAdvanced)
    positions = [before] * (len(cuts) - 1) + [(record.items, record.signals)]
    return [
        LaneAdvanced(
            record.epoch,
            *position,
            tuple(fact for fact in facts if isinstance(fact, Positions)),
            tuple(fact for fact in facts if isinstance(fact, ChildAdvanced)),
            tuple(fact for fact in facts if isinstance(fact, ChildAdopted)),
            record.forgotten if facts is cuts[-1] else (),
            tuple(fact for fact in facts if isinstance(fact, RunOver)),
        )
        for position, facts in zip(positions, cuts, strict=True)
    ]


def _facts(record: LaneAdvanced, bytes_max: int) -> Iterator[Fact]:
    """Everything a record says; what it forgets comes last."""
    yield from record.advanced
    yield from record.adopted
    for done in record.finished:
        for part in parts_of(done.ranges, bytes_max):
            yield Positions(done.run, done.generation, part)
    yield from record.over


def parts_of(flat: tuple[int, ...], bytes_max: int) -> Iterator[tuple[int, ...]]:
    """A flat sequence in parts of whole pairs, each far below `bytes_max`."""
    step = max(1, bytes_max // (4 * RANGE_BYTES)) * 2
    for i in range(0, len(flat), step):
        yield flat[i : i + step]
