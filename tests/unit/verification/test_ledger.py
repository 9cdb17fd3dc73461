"""The ledger of result records: each index once, and what it takes of memory."""

from maprun.verification.ledger import Ledger, Record, Wrong
from schemas.arns import child_name

RUN = "7f2c1d3e-0000-4000-8000-000000000000"


def record(index: int, status: str = "SUCCEEDED", text: str = "{}") -> Record:
    """A child's record."""
    return Record(status, text, child_name(RUN, index))


def test_indexes_are_found_missing_doubled_and_past_the_end() -> None:
    """In any order; what never started has no name, and is counted."""
    wrong = Wrong()
    ledger = Ledger(RUN, wrong)
    for index in (7, 0, 3, 3):
        ledger.take("SUCCEEDED", record(index), "f")
    ledger.take("PENDING", Record("PENDING"), "p")
    assert list(ledger.missing(5)) == [1, 2, 4]
    assert list(ledger.beyond(5)) == [7]
    assert ledger.unnamed == 1
    assert list(wrong) == [("more than once", 1, ["index 3, again in f"])]


def test_an_input_is_known_again() -> None:
    """Equal texts are equal, others differ."""
    ledger = Ledger(RUN, Wrong())
    ledger.take("SUCCEEDED", record(0, text='{"n":1}'), "f")
    assert ledger.has_input(0, '{"n":1}')
    assert not ledger.has_input(0, '{"n":2}')


def test_examples_are_few_however_much_is_wrong() -> None:
    """A million wrong records are a count and some examples."""
    wrong = Wrong()
    ledger = Ledger(RUN, wrong)
    for _ in range(100):
        ledger.take("FAILED", record(0), "f")
    told = {kind: (count, len(examples)) for kind, count, examples in wrong}
    assert told == {"in the wrong file": (100, 5), "more than once": (99, 5)}
