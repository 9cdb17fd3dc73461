"""A small run of the fuzzer; `python -m tests.fuzz --count 100000` is the large one."""

import collections

import msgspec

from tests.fuzz.corpus import INPUTS, definitions
from tests.fuzz.run import LONG_EVERY, SECONDS_MAX, definition, tried


def test_bent_definitions_are_refused_in_words_or_run_to_an_end() -> None:
    """3,000 bent definitions: no crash, no hang, and enough of them run for that to mean something."""
    documents = definitions()
    ends = collections.Counter(tried(definition(seed, documents), seed).ended for seed in range(1_000_000, 1_003_000))
    assert sum(ends.values()) == 3_000
    assert ends["SUCCEEDED"] > 200
    assert ends["FAILED"] > 200
    assert ends["refused"] > 500


def test_every_definition_of_the_corpus_is_valid_as_it_stands() -> None:
    """What is bent was straight: each definition runs with each input, refused is none."""
    for document in definitions():
        for seed in range(1, len(INPUTS) + 1):
            assert tried(definition_bytes(document), seed).ended != "refused"


def definition_bytes(document: object) -> bytes:
    """The JSON text of a definition."""
    return msgspec.json.encode(document)


def test_the_same_seed_bends_the_same_way() -> None:
    """A case can be looked at again: its seed gives the same bytes."""
    documents = definitions()
    assert [definition(seed, documents) for seed in range(50)] == [definition(seed, documents) for seed in range(50)]


def test_a_long_history_is_met_and_left_in_slices() -> None:
    """A loop without end lives to AWS's 25,000 events, and no slice of it is long."""
    choice = {"Variable": "$.never", "IsPresent": True, "Next": "C"}
    states = {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [choice], "Default": "A"},
        "C": {"Type": "Succeed"},
    }
    outcome = tried(msgspec.json.encode({"StartAt": "A", "States": states}), LONG_EVERY)
    assert outcome.ended == "FAILED"
    assert outcome.seconds < SECONDS_MAX
