"""Runs whose definition a lane can't read."""

import msgspec

from schemas.home import FAILED, REJECTED
from schemas.lanes import ItemFrame
from tests.unit.child_runner.driver import TASK, Driver, opened


def test_a_definition_that_cannot_be_read_fails_its_run_alone() -> None:
    """A run that newer rules refuse is refused item by item, in words; another run of the lane goes on."""
    driver = Driver()
    good, bad = opened({"A": TASK}), opened({"A": TASK}, n=1)
    other = "2f2e3d4c-0000-4000-a000-000000000002"
    driver.signal(msgspec.structs.replace(bad, run=other, definition=b'{"StartAt": "Nowhere", "States": {}}'))
    driver.signal(good)
    lane = driver.lane
    driver.items(0, [b"1"])
    driver.answer_tasks()
    assert driver.answers[0, 0].status == 1
    run = lane.runs[other]
    for built, status in ((False, REJECTED), (True, FAILED)):
        lane.items(90 + built, ItemFrame(other, 0, 10 + built, (b"1",), "", built=built), driver.now / 1000)
        lane.work(driver.now, driver.now / 1000)
        frames = run.outbox.frames(0, 0, 9, 1 << 20, driver.pages)
        assert frames[0].statuses == bytes([status])
        text = driver.pages.unpack(frames[0].pages[0])[0] if built else frames[0].cause.encode()
        assert b"The definition of the state machine cannot be read" in bytes(text)
