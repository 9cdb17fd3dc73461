"""Sets of numbers as messages carry them: flat (first, count, first, count, …)."""

from collections.abc import Iterable, Iterator, Sequence


def pairs(flat: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, count) of flat ranges."""
    numbers = iter(flat)
    return zip(numbers, numbers, strict=True)


def ranges_of(numbers: Iterable[int]) -> tuple[int, ...]:
    """Numbers in whatever order as flat ranges, in that order."""
    flat: list[int] = []
    first = end = -1
    for number in numbers:
        if number == end:
            end += 1
            continue
        if first >= 0:
            flat += (first, end - first)
        first, end = number, number + 1
    if first >= 0:
        flat += (first, end - first)
    return tuple(flat)


def ranges_of_ascending(numbers: Sequence[int]) -> tuple[int, ...]:
    """Ascending numbers as flat ranges: mostly they are one, which is seen without looking at each."""
    if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
        return (numbers[0], len(numbers))
    return ranges_of(numbers)
