"""Every bad input through every door gets its error, and the next good request works."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.system.bad_inputs import Finding, Sender
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def sender(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """The tables' sender on the shared stack; at its end every good request in between has succeeded."""
    made = Sender(stack, Path(tmp_path_factory.mktemp("bad")))
    made.prepare()
    yield made
    assert made.good_ones() == []


def judge(findings: Iterator[Finding], least: int) -> None:
    """All findings are as the table says, and there are enough of them."""
    found = list(findings)
    wrong = [
        f"{f.door} | {f.title} | expected {f.expected} | got {f.got}: {f.message[:200]}" for f in found if not f.right
    ]
    assert wrong == []
    assert len(found) >= least, Counter(f.door for f in found)


def test_forty_bad_records_are_rejected_with_their_reasons(sender: Sender) -> None:
    """A bad record gets its rejection, and the good one behind it on the same partition starts."""
    judge(sender.through_topic(), 40)


def test_forty_bad_calls_get_the_errors_of_aws(sender: Sender) -> None:
    """A bad call of the API gets AWS's error, and the next good one is answered."""
    judge(sender.through_api(), 40)


def test_forty_bad_commands_say_what_is_wrong(sender: Sender) -> None:
    """A bad command gets a message and an exit code, never a stack trace."""
    judge(sender.through_cli(), 40)


def test_bad_sources_and_items_fail_their_own_run_alone(sender: Sender) -> None:
    """A run over something bad fails with the States error for it, whichever door it came by."""
    judge(sender.runs(), 60)


def test_a_source_that_changes_while_it_is_read_fails_the_run(sender: Sender) -> None:
    """Two versions of one source are never mixed in one Map Run."""
    judge(sender.changed_while_read(), 3)
