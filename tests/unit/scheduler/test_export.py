"""Result export: every accepted entry in exactly one file, whoever writes it and however often it is begun again."""

import random

import msgspec
import pytest

from schemas import topics
from schemas.home import (
    ABORTED,
    FAILED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ItemsRead,
    ResultFileOpened,
    SourceEnded,
    SourceFailed,
)
from services.scheduler.deps import ResultTroubleError
from services.scheduler.limits import SchedulerLimits
from services.scheduler.owner import own_home
from tests.unit.mapruns.programs import HOMES, frame
from tests.unit.scheduler.exporting import SMALL, Make, manifest_of, read_all, records, runs, started


def test_every_status_goes_into_its_file_in_awss_shape(make_rig: Make) -> None:
    """One child of each end: members in alphabetical order, payloads as strings, dates in ISO 8601."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    rig.put(topics.HOME, 0, frame(run, 0, [0, 1, 2, 3, 4], [SUCCEEDED, FAILED, TIMED_OUT, ABORTED, RETURNED]))
    read_all(rig, run, 5)
    rig.until(lambda: f"b/p/{run}/manifest.json" in rig.s3.objects)
    written = records(rig, run)
    [ok] = written["SUCCEEDED"]
    name = f"00000000{run[8:14]}3{run[15:]}"
    assert ok == {
        "ExecutionArn": f"arn:aws:states:us-east-1:123456789012:execution:m/L:{name}",
        "Input": '{"i":0,"t":"a\\"b"}',
        "InputDetails": {"Included": True},
        "Name": name,
        "Output": '{"o":0}',
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": "2026-09-23T22:58:06.000Z",
        "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m/L",
        "Status": "SUCCEEDED",
        "StopDate": "2026-09-23T22:58:06.007Z",
    }
    failed, timed_out, aborted = written["FAILED"]
    assert [failed["Error"], failed["Cause"], failed["Status"]] == ["Bad", 'it is "bad"', "FAILED"]
    assert "Cause" not in timed_out
    assert "Error" not in aborted
    assert failed["RedriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert "RedriveStatusReason" not in failed
    assert written["PENDING"] == [
        {"Input": '{"i":4,"t":"a\\"b"}', "InputDetails": {"Included": True}, "Status": "PENDING"}
    ]
    for entry in [ok, failed, timed_out, aborted]:
        assert list(entry) == sorted(entry)
    assert manifest_of(rig, run)["MapRunArn"].endswith(f":mapRun:m/L:{run}")


def test_a_run_without_children_gets_a_manifest_of_three_empty_lists(make_rig: Make) -> None:
    """A status with no member gets no file; the manifest is there all the same, and the parent goes on."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    read_all(rig, run, 0)
    rig.until(lambda: runs(rig) == {})
    assert manifest_of(rig, run)["ResultFiles"] == {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    assert list(rig.s3.objects) == [f"b/p/{run}/manifest.json"]


def test_files_split_by_bytes_and_parts_lie_at_fixed_edges(make_rig: Make) -> None:
    """Past the limit of bytes a new file begins; every part but a file's last has exactly the size of a part."""
    rig = make_rig(SMALL)
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    for n in range(0, 30, 5):
        rig.put(topics.HOME, 0, frame(run, 0, list(range(n, n + 5))))
    read_all(rig, run, 30)
    rig.until(lambda: runs(rig) == {})
    files = manifest_of(rig, run)["ResultFiles"]["SUCCEEDED"]
    assert len(files) > 3
    assert all(file["Size"] <= 3_000 for file in files)
    assert [int(r["Name"][:8], 16) for r in records(rig, run)["SUCCEEDED"]] == list(range(30))
    assert {int(call[3]) for call in rig.s3.calls if call[0] == "part" and call[2] == "1"} == {700}


def test_parts_are_written_while_the_run_goes_on(make_rig: Make) -> None:
    """A part is in S3 as soon as it is full: the export does not wait for the last child."""
    rig = make_rig(SMALL)
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    rig.put(topics.HOME, 0, frame(run, 0, list(range(5))))
    rig.until(lambda: any(call[0] == "part" for call in rig.s3.calls))
    assert runs(rig)[run].phase == "open"


def test_jsonl_and_compact_give_one_output_a_line(make_rig: Make) -> None:
    """OutputType JSONL with COMPACT: one value and one newline a child, in a .jsonl file."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig, transformation="COMPACT", output_type="JSONL")
    rig.put(topics.HOME, 0, frame(run, 0, [0, 1, 2]))
    read_all(rig, run, 3)
    rig.until(lambda: runs(rig) == {})
    assert rig.s3.objects[f"b/p/{run}/SUCCEEDED_0.jsonl"] == b'{"o":0}\n{"o":1}\n{"o":2}\n'


def test_trouble_with_s3_fails_the_run_with_its_cause(make_rig: Make) -> None:
    """Results that can't be written: States.ResultWriterFailed, said while the run is open and again at its end."""
    rig = make_rig(SMALL)
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)

    def fail(_call: str) -> None:
        raise ResultTroubleError("The specified bucket does not exist")

    rig.s3.fail = fail
    rig.put(topics.HOME, 0, frame(run, 0, list(range(5))))
    rig.put(topics.HOME, 0, ItemsRead(run, 0, 0, 8, 8, 400, b""))
    rig.until(lambda: runs(rig)[run].phase == "closing")
    rig.put(topics.HOME, 0, SourceEnded(run, 0, 8))
    rig.put(topics.HOME, 0, frame(run, 0, [5, 6, 7], [RETURNED] * 3))
    rig.until(lambda: runs(rig) == {})
    rig.run(1)
    event = msgspec.json.decode(rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")["detail"]
    assert (event["status"], event["error"]) == ("FAILED", "States.ResultWriterFailed")
    assert event["cause"] == "The specified bucket does not exist"


def test_trouble_that_passes_is_waited_out(make_rig: Make) -> None:
    """S3 away for a few seconds delays the results; nothing fails."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    back_at = rig.world.now + 4

    def fail(_call: str) -> None:
        if rig.world.now < back_at:
            trouble = ResultTroubleError("Connection refused")
            trouble.retriable = True
            raise trouble

    rig.s3.fail = fail
    rig.put(topics.HOME, 0, frame(run, 0, [0]))
    read_all(rig, run, 1)
    rig.until(lambda: runs(rig) == {})
    assert len(records(rig, run)["SUCCEEDED"]) == 1


def test_a_successor_uploads_only_what_is_missing(make_rig: Make) -> None:
    """After kill -9 the same bytes are made again; parts that home knows are not sent to S3 a second time."""
    rig = make_rig(SMALL)
    group = rig.group(topics.HOME, own_home, HOMES)
    first = rig.process(group)
    run = started(rig)
    for n in range(0, 20, 5):
        rig.put(topics.HOME, 0, frame(run, 0, list(range(n, n + 5))))
    rig.until(lambda: len([call for call in rig.s3.calls if call[0] == "part"]) >= 6)
    rig.run(1)
    parts = len([call for call in rig.s3.calls if call[0] == "part"])
    first.kill()
    rig.run(12)
    read_all(rig, run, 20)
    rig.until(lambda: runs(rig) == {})
    uploaded = [call[1:3] for call in rig.s3.calls if call[0] == "part"]
    assert len(uploaded) > parts
    assert len(uploaded) == len(set(uploaded))
    assert [int(r["Name"][:8], 16) for r in records(rig, run)["SUCCEEDED"]] == list(range(20))


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_every_entry_is_in_one_file_once(make_rig: Make, seed: int) -> None:
    """Owners killed, paused into zombies and moved at random: the files hold each position once, all bytes agree."""
    chance = random.Random(seed)
    limits = SchedulerLimits(
        part_bytes=700, file_bytes_max=5_000, export_read_records=3, export_inbox_bytes_max=chance.choice([1, 10**7])
    )
    rig = make_rig(limits, seed)
    group = rig.group(topics.HOME, own_home, HOMES)
    for _ in range(3):
        rig.process(group)
    run = started(rig)
    statuses = [chance.choice([SUCCEEDED, SUCCEEDED, FAILED, RETURNED]) for _ in range(60)]
    order = list(range(60))
    chance.shuffle(order)
    sent: list[list[int]] = []
    while order:
        part, order = order[:4], order[4:]
        sent.append(part)
        rig.put(topics.HOME, 0, frame(run, 0, part, [statuses[p] for p in part]))
        if chance.random() < 0.3:  # an answer told twice, with another end: the first stands
            again = chance.choice(sent)
            rig.put(topics.HOME, 0, frame(run, 1, again, [TIMED_OUT] * len(again)))
        rig.run(chance.random())
        owner = group.owner[0]
        if owner is not None and chance.random() < 0.25:
            if chance.random() < 0.5:
                owner.kill()
            elif not owner.paused:
                owner.pause()
                rig.world.after(chance.random() * 12, owner.resume)
    read_all(rig, run, 60)
    rig.put(topics.HOME, 0, frame(run, 0, [59, 3], [SUCCEEDED, SUCCEEDED]))
    rig.until(lambda: f"b/p/{run}/manifest.json" in rig.s3.objects, 200)
    rig.run(20)
    written = records(rig, run)
    assert sorted(int(r["Name"][:8], 16) for r in written.get("SUCCEEDED", [])) == [
        p for p in range(60) if statuses[p] == SUCCEEDED
    ]
    assert len(written.get("FAILED", [])) == statuses.count(FAILED)
    assert {r["Status"] for r in written.get("FAILED", [])} <= {"FAILED"}
    assert len(written.get("PENDING", [])) == statuses.count(RETURNED)
    event = msgspec.json.decode(rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")["detail"]
    assert event["status"] == "SUCCEEDED"


def test_a_run_that_waits_for_its_turn_is_read_again_from_home(make_rig: Make) -> None:
    """More runs than exports at once: the second begins late, from its first record, and misses nothing."""
    rig = make_rig(SchedulerLimits(exports_early_max=1))
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    three = [started(rig, name) for name in ("a", "b", "c")]
    for run in three:
        rig.put(topics.HOME, 0, frame(run, 0, [0, 1, 2]))
    rig.run(1)
    for run in reversed(three):
        read_all(rig, run, 3)
    rig.until(lambda: runs(rig) == {})
    assert [len(records(rig, run)["SUCCEEDED"]) for run in three] == [3, 3, 3]


def test_the_upload_that_was_first_on_home_is_used_and_the_other_dropped(make_rig: Make) -> None:
    """Another exporter's upload was said first: the parts go there, and one's own upload is aborted."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    rig.s3.uploads["foreign"] = {}
    rig.s3.keys["foreign"] = f"b/p/{run}/SUCCEEDED_0.json"

    def race(call: str) -> None:
        if call == "create":
            rig.put(topics.HOME, 0, ResultFileOpened(run, 0, "SUCCEEDED", 0, "foreign"))

    rig.s3.fail = race
    rig.put(topics.HOME, 0, frame(run, 0, [0]))
    read_all(rig, run, 1)
    rig.until(lambda: runs(rig) == {})
    assert len(records(rig, run)["SUCCEEDED"]) == 1
    assert [call[0] for call in rig.s3.calls if call[0] == "abort"] == ["abort"]
    assert rig.s3.uploads == {}


def test_answers_behind_the_end_are_in_no_file(make_rig: Make) -> None:
    """An answer for a position that was published but never said to be read, after the run's end, doesn't count."""
    rig = make_rig()
    first = rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    rig.run(1)
    first.kill()
    rig.put(topics.HOME, 0, ItemsRead(run, 0, 0, 3, 3, 30, b""))
    rig.put(topics.HOME, 0, frame(run, 0, [0, 1]))
    rig.put(topics.HOME, 0, SourceFailed(run, 0, "States.ItemReaderFailed", "gone"))
    rig.put(topics.HOME, 0, frame(run, 0, [2]))
    rig.put(topics.HOME, 0, frame(run, 0, [3, 4]))
    rig.until(lambda: f"b/p/{run}/manifest.json" in rig.s3.objects)
    assert [int(entry["Name"][:8], 16) for entry in records(rig, run)["SUCCEEDED"]] == [0, 1, 2]
