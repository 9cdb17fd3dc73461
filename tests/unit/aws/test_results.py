"""Result files on servers of every kind: written once, known again by their bytes, refused in words."""

import pytest

from maprun.aws.errors import ResultWriterError, ResultWriterUnavailableError, UploadGoneError
from maprun.aws.results import ResultWriter, WrittenPart, body_etag
from tests.unit.aws.memory_s3 import MemoryS3, Server

PARTS = [b"first part", b"second part", b"end"]
WHOLE = b"".join(PARTS)
MANIFEST = b'{"a":1}'
ETAGS = ["md5", "none", "own", "plain"]
OPERATIONS = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject", "HeadObject", "GetObject"]


def export(writer: ResultWriter) -> None:
    """What an exporter does for one file and the manifest, as services.scheduler.export_job has it."""
    upload = writer.create_upload("b", "f")
    parts, first = [], 0
    for number, body in enumerate(PARTS, 1):
        try:
            etag = writer.upload_part("b", "f", upload, number, body)
        except UploadGoneError:
            etag = body_etag(body)
        parts.append(WrittenPart(number, etag))
    if not writer.complete("b", "f", upload, parts, len(WHOLE)):
        for body in PARTS:
            writer.compare("b", "f", first, body)
            first += len(body)
    writer.put_manifest("b", "m", MANIFEST)


@pytest.mark.parametrize("etags", ETAGS)
@pytest.mark.parametrize("again", [200, 403, 404, 412, 500])
@pytest.mark.parametrize(("conditional", "may_look"), [("heeded", True), ("ignored", False)])
def test_any_answer_may_get_lost_on_any_server(
    s3: MemoryS3, etags: str, again: int, conditional: str, *, may_look: bool
) -> None:
    """Whichever call's answer is lost, and however a server answers its repeat: one object each, written once."""
    for operation in OPERATIONS:
        for number in range(1, 6):
            server = Server(
                etags=etags, again=again, conditional=conditional, may_look=may_look, lost=(operation, number)
            )
            s3.begin(server)
            export(ResultWriter(s3.access))
            assert {key: (found.body, found.writes) for key, found in s3.objects.items()} == {
                "f": (WHOLE, 1),
                "m": (MANIFEST, 1),
            }, server
            if s3.calls[operation] < number:
                assert s3.warned == []
                break
            assert len(s3.warned) == 1


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "PutObject"])
@pytest.mark.parametrize("conditional", ["heeded", "ignored"])
def test_what_is_still_being_written_is_waited_for(s3: MemoryS3, operation: str, conditional: str) -> None:
    """After a lost answer a server whose writes are not atomic shows the beginning of our object, not another's."""
    s3.begin(Server(conditional=conditional, lost=(operation, 1), half_seen=3))
    export(ResultWriter(s3.access))
    assert {key: found.body for key, found in s3.objects.items()} == {"f": WHOLE, "m": MANIFEST}


@pytest.mark.parametrize("etags", ETAGS)
@pytest.mark.parametrize("conditional", ["heeded", "ignored", "unknown"])
def test_a_second_exporter_finds_what_the_first_one_wrote(s3: MemoryS3, etags: str, conditional: str) -> None:
    """Done once more from the beginning, nothing is written again and nothing fails."""
    s3.begin(Server(etags=etags, conditional=conditional))
    writer = ResultWriter(s3.access)
    export(writer)
    export(writer)
    assert [found.writes for found in s3.objects.values()] == [1, 1]


@pytest.mark.parametrize("etags", ETAGS)
@pytest.mark.parametrize("conditional", ["heeded", "ignored", "unknown"])
@pytest.mark.parametrize("other", [b"other bytes, so many!!!!", b"short"])
def test_what_somebody_else_wrote_is_left_as_it_is(s3: MemoryS3, etags: str, conditional: str, other: bytes) -> None:
    """Other bytes at a key, of the same size or another, end the export with the object's address in the cause."""
    s3.begin(Server(etags=etags, conditional=conditional))
    s3.put("f", other)
    assert len(WHOLE) == 24
    with pytest.raises(ResultWriterError, match=r"s3://b/f exists with other content") as raised:
        export(ResultWriter(s3.access))
    assert not raised.value.retriable
    assert (s3.objects["f"].body, s3.objects["f"].writes) == (other, 1)
    s3.put("m", MANIFEST[::-1])
    with pytest.raises(ResultWriterError, match=r"s3://b/m exists with other content of the same size"):
        ResultWriter(s3.access).put_manifest("b", "m", MANIFEST)
    assert s3.objects["m"].writes == 1


def test_an_upload_that_was_dropped_is_gone(s3: MemoryS3) -> None:
    """Neither upload nor object: that is said, and not asked for again and again."""
    s3.begin(Server())
    writer = ResultWriter(s3.access)
    upload = writer.create_upload("b", "f")
    writer.abort("b", "f", upload)
    writer.abort("b", "f", upload)
    with pytest.raises(UploadGoneError, match=r"NoSuchUpload"):
        writer.upload_part("b", "f", upload, 1, b"x")
    with pytest.raises(UploadGoneError, match=r"s3://b/f"):
        writer.complete("b", "f", upload, [WrittenPart(1, body_etag(b"x"))], 1)
    assert s3.warned == []


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"])
@pytest.mark.parametrize("status", [400, 403, 501])
def test_a_refusal_is_final(s3: MemoryS3, operation: str, status: int) -> None:
    """What won't pass by itself, 501 Not Implemented too, is not tried again; the cause names status and object."""
    s3.begin(Server(status={operation: status}))
    with pytest.raises(ResultWriterError, match=rf"Status Code: {status}.*\(s3://b/[fm]\)") as raised:
        export(ResultWriter(s3.access))
    assert not raised.value.retriable
    assert s3.warned == []


def test_a_server_that_stays_broken_is_warned_of_from_the_first_attempt_on(s3: MemoryS3) -> None:
    """Ten attempts, nine warnings with operation, address and attempt; then a trouble that may pass."""
    s3.begin(Server(status={"CreateMultipartUpload": 500}))
    with pytest.raises(ResultWriterUnavailableError, match=r"Status Code: 500"):
        ResultWriter(s3.access).create_upload("b", "f")
    assert [(w.operation, w.address, w.attempt) for w in s3.warned] == [
        ("CreateMultipartUpload", "s3://b/f", attempt) for attempt in range(1, 10)
    ]


def test_a_web_page_is_no_s3(s3: MemoryS3) -> None:
    """An endpoint that answers everything with a page fails at once, and the cause says to look at the endpoint."""
    s3.begin(Server(page=True))
    with pytest.raises(ResultWriterError, match=r"no S3: it sent '<!doctype html>.*AWS_ENDPOINT_URL_S3.*s3://b/f"):
        ResultWriter(s3.access).create_upload("b", "f")
    assert s3.calls["CreateMultipartUpload"] == 1
