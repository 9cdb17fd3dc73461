"""Result files as parts: the same entries give the same bytes, however they arrive."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.fold.map_output import inline_output
from maprun.mapruns.results.export import FileStream, RunExport, WrittenFile, file_key, folder, manifest, manifest_key
from maprun.mapruns.results.shaping import flat
from schemas.home import ABORTED, FAILED, RETURNED, SUCCEEDED, TIMED_OUT
from schemas.plan import MapRunPlan, ResultWriterPlan
from tests.unit.mapruns.programs import frame, pages_of, take
from tests.unit.mapruns.test_run import make_run

RUN = "aaaaaaaa-bbbb-4001-8ccc-dddddddddddd"
RECORDS = st.lists(st.binary(min_size=1, max_size=30).map(lambda b: b.hex().encode()), max_size=40)


def exporting(part_bytes: int, file_bytes_max: int, child_type: Any = "STANDARD", **writer: Any) -> RunExport:
    """An export of a run."""
    plan = MapRunPlan("Map", "L", child_type, writer=ResultWriterPlan("b", "p", **writer))
    return RunExport(make_run(run=RUN, plan=plan, asked=10**6), part_bytes, file_bytes_max)


@given(RECORDS, st.lists(st.integers(1, 40), max_size=8), st.booleans(), st.integers(1, 50), st.integers(60, 400))
def test_parts_do_not_depend_on_how_records_come(
    records: list[bytes], cuts: list[int], lines: bool, part_bytes: int, file_bytes_max: int
) -> None:
    """Record by record or in any batches: the same files, each within its limit, with parts at the same edges."""

    def parts_of(batches: list[list[bytes]]) -> list[Any]:
        stream = FileStream("SUCCEEDED", lines=lines, part_bytes=part_bytes, file_bytes_max=file_bytes_max)
        return [part for batch in batches for part in stream.add(batch)] + stream.finish()

    batches, rest = [], records
    for cut in cuts:
        batches.append(rest[:cut])
        rest = rest[cut:]
    parts = parts_of([*batches, rest])
    assert parts == parts_of([[record] for record in records])
    read: list[bytes] = []
    for number in range(parts[-1].file + 1 if parts else 0):
        own = [part for part in parts if part.file == number]
        assert [part.part for part in own] == list(range(len(own)))
        assert [part.last for part in own] == [False] * (len(own) - 1) + [True]
        assert {len(part.body) for part in own[:-1]} <= {part_bytes}
        assert 0 < len(own[-1].body) <= part_bytes
        body = b"".join(part.body for part in own)
        assert len(body) <= max(file_bytes_max, 62)
        if lines:
            assert body.endswith(b"\n")
            read += body[:-1].split(b"\n")
        else:
            assert body[:1] + body[-1:] == b"[]"
            read += body[1:-1].split(b",")
    assert read == records


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True), max_size=12), st.data())
def test_entries_told_twice_are_written_once(frames: list[list[int]], data: st.DataObject) -> None:
    """The first answer to a position is the one in the files, whatever later frames say."""
    export = exporting(10**6, 10**6)
    first: dict[int, int] = {}
    for positions in frames:
        states = [data.draw(st.sampled_from([SUCCEEDED, FAILED, ABORTED, RETURNED])) for _ in positions]
        for position, state in zip(positions, states, strict=True):
            first.setdefault(position, state)
        assert take(export, frame(RUN, 0, positions, states), 10**6) == []
    files = {part.status: msgspec.json.decode(part.body) for part in export.finish(make_run())}
    names = [int(entry["Name"][:8], 16) for status in ("SUCCEEDED", "FAILED") for entry in files.get(status, [])]
    assert sorted(names) == sorted(p for p, s in first.items() if s != RETURNED)
    assert len(files.get("PENDING", [])) == list(first.values()).count(RETURNED)
    assert export.children == len(first)


def test_express_children_have_their_own_arns_and_plain_names() -> None:
    """An EXPRESS child's ARN has nine parts; its Name in the files is without the id at the end."""
    export = exporting(10**6, 10**6, "EXPRESS")
    take(export, frame(RUN, 0, [258], [TIMED_OUT]), 10**6)
    take(export, frame(RUN, 0, [10], [SUCCEEDED]), 10**6)
    entries = [entry for part in export.finish(make_run()) for entry in msgspec.json.decode(part.body)]
    for entry, digits in zip(entries, ("0000000a", "00000102"), strict=True):
        assert entry["Name"] == f"{digits}-bbbb-3001-8ccc-dddddddddddd"
        assert entry["ExecutionArn"] == (
            f"arn:aws:states:us-east-1:123456789012:express:m/L:{entry['Name']}:{digits}-bbbb-4001-8ccc-dddddddddddd"
        )


@pytest.mark.parametrize(
    ("transformation", "lines", "outputs", "expected"),
    [
        ("COMPACT", False, [b'{"a":1}', b"[2]", b"null"], b'[{"a":1},[2],null]'),
        ("COMPACT", True, [b'{"a":1}', b"[2,\n 3]"], b'{"a":1}\n[2,3]\n'),
        ("FLATTEN", False, [b"[1,2]", b"[]", b" [ 3 ] ", b'{"a":4}'], b'[1,2,3,{"a":4}]'),
        ("FLATTEN", True, [b'[1,{"b":[2]}]', b"[]", b"3"], b'1\n{"b":[2]}\n3\n'),
    ],
)
def test_compact_and_flatten(transformation: str, lines: bool, outputs: list[bytes], expected: bytes) -> None:
    """COMPACT writes outputs only; FLATTEN joins those that are arrays; JSONL puts one value on a line."""
    export = exporting(10**6, 10**6, transformation=transformation, output_type="JSONL" if lines else "JSON")
    told = frame(RUN, 0, list(range(len(outputs))))
    take(export, msgspec.structs.replace(told, pages=pages_of(outputs)), 10**6)
    [part] = export.finish(make_run())
    assert part.body == expected


def test_failed_children_are_in_full_shape_whatever_the_transformation() -> None:
    """COMPACT concerns outputs: a failed child has none, so its whole record is written."""
    export = exporting(10**6, 10**6, transformation="COMPACT")
    take(export, frame(RUN, 0, [0], [FAILED]), 10**6)
    [part] = export.finish(make_run())
    [entry] = msgspec.json.decode(part.body)
    assert (part.status, entry["Error"], entry["Status"]) == ("FAILED", "Bad", "FAILED")


def test_entries_of_many_pages_and_pieces_find_their_slots() -> None:
    """A frame of several pages, half of it answered before: each record is that of its own position."""
    export = exporting(10**9, 10**9)
    positions = list(range(300))
    take(export, frame(RUN, 0, positions[40:100]), 10**6)
    take(export, frame(RUN, 0, positions), 10**6)
    [part] = export.finish(make_run())
    entries = json.loads(part.body)
    assert sorted(int(e["Name"][:8], 16) for e in entries) == positions
    assert all(json.loads(e["Output"])["o"] == int(e["Name"][:8], 16) for e in entries)
    assert all(json.loads(e["Input"])["i"] == int(e["Name"][:8], 16) for e in entries)


def test_a_percent_sign_in_a_name_stays_one() -> None:
    """Record templates have holes; what stands around them is written as it is."""
    plan = MapRunPlan("Map", "100%b", "STANDARD", writer=ResultWriterPlan("b"))
    export = RunExport(make_run(run=RUN, plan=plan, label="100%b"), 10**6, 10**6)
    take(export, frame(RUN, 0, [0]), 1)
    [entry] = msgspec.json.decode(b"".join(part.body for part in export.finish(make_run())))
    assert entry["StateMachineArn"].endswith(":m/100%b")


@pytest.mark.parametrize(
    ("prefix", "generation", "where"),
    [
        ("", 0, "r/"),
        ("p", 0, "p/r/"),
        ("p/", 0, "p/r/"),
        ("a/b", 0, "a/b/r/"),
        ("", 2, "r/Redrive-2/"),
        ("p", 1, "p/r/Redrive-1/"),
    ],
)
def test_where_files_are(prefix: str, generation: int, where: str) -> None:
    """`<prefix>/<run>/`, without an empty step; of a redrive in a folder of its own."""
    assert folder(prefix, "r", generation) == where
    assert file_key(where, "FAILED", 2, lines=True) == f"{where}FAILED_2.jsonl"
    assert manifest_key(where) == f"{where}manifest.json"


def test_the_manifest_has_exactly_its_members() -> None:
    """Compact JSON, all three lists, files in order."""
    body = manifest("b", "arn", [("SUCCEEDED", WrittenFile("k0", 1)), ("SUCCEEDED", WrittenFile("k1", 2))])
    assert body == (
        b'{"DestinationBucket":"b","MapRunArn":"arn","ResultFiles":{"FAILED":[],"PENDING":[],'
        b'"SUCCEEDED":[{"Key":"k0","Size":1},{"Key":"k1","Size":2}]}}'
    )


@given(
    st.lists(st.recursive(st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3)), max_size=6)
)
def test_a_flattened_result_array_is_the_join_of_its_arrays(outputs: list[Any]) -> None:
    """FLATTEN of inline results: members of arrays one after the other, other values as they are."""
    expected = [member for output in outputs for member in (output if isinstance(output, list) else [output])]
    texts = [json.dumps(output).encode() for output in outputs]
    assert (
        json.loads(inline_output([flat(text) for text in texts], ResultWriterPlan(transformation="FLATTEN")))
        == expected
    )
    assert json.loads(inline_output(texts, None)) == outputs
    assert flat(b" [ ] ") == b""
