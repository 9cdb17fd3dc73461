"""What follows from a record of home, as messages: in which order, and when one fits no record."""

from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.fold.home import decode_record
from maprun.mapruns.fold.outputs import Send
from maprun.requests.starts import encode_rejection
from schemas import topics
from schemas.asks import ItemsRequested
from schemas.home import Origin, OutputRefused
from schemas.lanes import Cause, RunClosed
from schemas.plan import MapRunPlan
from schemas.requests import RequestRejected
from services.scheduler.handlers import messages_of, phases_of


def test_signals_go_before_asks_and_everything_else_waits_for_nobody() -> None:
    """With signals and asks in one turn, asks are sent behind the signals' acknowledgement; else all at once."""
    signal = Send(topics.LANE_SIGNALS.name, 0, RunClosed(Cause(0, 1, 0), "r", 0))
    plan = MapRunPlan("Map", "L", "STANDARD")
    ask = Send(topics.ITEM_ASKS.name, 0, ItemsRequested(Cause(0, 1, 1), "r", 0, plan, b"", (), 0, 0, b"", b""))
    event = Send(topics.EXECUTION_EVENTS.name, 0, b"{}", b"k")
    phases = phases_of(messages_of([event, ask, signal], 0, 1 << 20))
    assert [m.topic for m in phases.first] == ["execution-events", "lane-signals"]
    assert [m.topic for m in phases.then] == ["item-asks"]
    phases = phases_of(messages_of([event, ask], 0, 1 << 20))
    assert ([m.topic for m in phases.first], phases.then) == (["execution-events", "item-asks"], [])


def test_a_rejection_is_json_on_its_topic() -> None:
    """What users read is JSON, not the house's own encoding."""
    rejected = RequestRejected(Origin("execution-requests", 0, 1), "E", "m", b"{}")
    [message] = messages_of([Send(topics.REJECTED_REQUESTS.name, 0, rejected, b"k")], 0, 1 << 20)
    assert (message.value or b"").startswith(b'{"origin":{"topic":"execution-requests"')


def test_what_fits_no_record_has_a_dead_letter_for_its_execution() -> None:
    """In its place home is told whose it was; what else the record asked for on its behalf is left out."""
    signal = Send(topics.LANE_SIGNALS.name, 0, RunClosed(Cause(0, 1, 0), "r" * 2_000, 0), arn="big")
    ask = Send(topics.ITEM_ASKS.name, 0, b"{}", arn="big")
    other = Send(topics.ITEM_ASKS.name, 0, b"{}", arn="small")
    [letter, kept] = messages_of([signal, ask, other], 3, 1_000)
    assert (letter.topic, letter.partition, kept.topic) == ("home", 3, "item-asks")
    fact = decode_record(letter.value or b"")
    assert isinstance(fact, OutputRefused)
    assert (fact.arn, fact.error) == ("big", "States.DataLimitExceeded")
    assert "A record for 'lane-signals' has a size of 2" in fact.cause


@given(st.text(max_size=3_000), st.binary(max_size=3_000))
def test_a_rejection_fits_a_record_whatever_is_rejected(message: str, record: bytes) -> None:
    """What is shown of a refused record is cut, with every escape counted."""
    rejected = RequestRejected(Origin("t", 0, 1), "E", message.encode(errors="replace").decode(), record)
    assert len(encode_rejection(rejected, 2_000)) <= 2_000
