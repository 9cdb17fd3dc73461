"""Spans on their way to a collector: a real HTTP server takes them, refuses them, or isn't there."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from maprun.runtime.otlp import PATH, SPANS_MAX, Spans
from schemas.effects import TaskOutcome, TaskRequested, TaskSucceeded
from schemas.spans import CLIENT, Span
from schemas.traces import span_of, traced

SPAN = Span(
    "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", "aa995c3f42cd8ad8", "m", 2, 5, 9, "FAILED", (("a", "b"),)
)
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"


class Collector:
    """Keeps what it is told; the first answers have these statuses, all others are 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.told: list[Any] = []
        self.asked = 0
        self.took = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        self.asked += 1
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            assert request.content_type == "application/json"
            self.told.append(json.loads(await request.read()))
            self.took.set()
        return web.Response(status=status)

    @property
    def spans(self) -> list[Any]:
        """All spans that it took."""
        return [s for t in self.told for r in t["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]


def played(collector: Collector, story: Callable[[Spans], Awaitable[None]]) -> Spans:
    """Plays a story while the collector listens, and closes."""

    async def play() -> Spans:
        application = web.Application()
        application.add_routes([web.post(PATH, collector.take)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        spans = Spans(f"http://127.0.0.1:{runner.addresses[0][1]}/", "scheduler", "one", lambda: 7)
        try:
            await story(spans)
            await spans.close()
        finally:
            await runner.cleanup()
        return spans

    return asyncio.run(play())


async def one(spans: Spans) -> None:
    """One span is added."""
    spans.add(SPAN)


def counts(spans: Spans) -> dict[str, float]:
    """What Prometheus reads."""
    return {metric.name: metric.samples[0].value for metric in spans.collect()}


def test_a_span_is_told_as_otlp_has_it() -> None:
    """Ids in hexadecimal, times in nanoseconds as texts, an error as status 2; the resource names the process."""
    collector = Collector()
    spans = played(collector, one)
    (told,) = collector.told
    (resource,) = told["resourceSpans"]
    names = {each["key"]: each["value"]["stringValue"] for each in resource["resource"]["attributes"]}
    assert names == {"service.name": "scheduler", "service.namespace": "maprun", "service.instance.id": "one"}
    assert collector.spans == [
        {
            "traceId": SPAN.trace_id,
            "spanId": SPAN.span_id,
            "parentSpanId": SPAN.parent_id,
            "name": "m",
            "kind": 2,
            "startTimeUnixNano": "5000000",
            "endTimeUnixNano": "9000000",
            "attributes": [{"key": "a", "value": {"stringValue": "b"}}],
            "status": {"code": 2, "message": "FAILED"},
        }
    ]
    assert counts(spans) == {"maprun_spans_sent": 1, "maprun_spans_dropped": 0}


def test_a_root_span_that_went_well_has_neither_parent_nor_status() -> None:
    """They are left out, for an empty id is none."""
    collector = Collector()

    async def story(spans: Spans) -> None:
        spans.add(msgspec.structs.replace(SPAN, parent_id="", error=""))

    played(collector, story)
    assert not {"parentSpanId", "status"} & set(collector.spans[0])


def test_a_collector_that_is_busy_is_asked_again() -> None:
    """Its 503 is no refusal."""
    collector = Collector(503)

    async def story(spans: Spans) -> None:
        spans.add(SPAN)
        await collector.took.wait()

    spans = played(collector, story)
    assert (len(collector.spans), collector.asked) == (1, 2)
    assert counts(spans)["maprun_spans_sent"] == 1


@pytest.mark.parametrize("status", [400, 401])
def test_what_is_refused_is_dropped_and_counted(status: int) -> None:
    """It would be refused again."""
    spans = played(Collector(status), one)
    assert counts(spans) == {"maprun_spans_sent": 0, "maprun_spans_dropped": 1}


def test_nobody_waits_for_a_collector_that_is_away() -> None:
    """What waits is bounded, the rest is counted, and the process ends without it."""

    async def play() -> Spans:
        spans = Spans("http://127.0.0.1:9", "scheduler", "one", lambda: 0)
        for _ in range(SPANS_MAX + 3):
            spans.add(SPAN)
        assert counts(spans)["maprun_spans_dropped"] == 3
        await asyncio.wait_for(spans.close(), 30)
        return spans

    assert counts(asyncio.run(play())) == {"maprun_spans_sent": 0, "maprun_spans_dropped": SPANS_MAX + 3}


def test_without_an_endpoint_nothing_is_done() -> None:
    """Not even a task is started: tracing is off."""
    spans = Spans("", "scheduler", "one", lambda: 0)
    spans.add(SPAN)
    asyncio.run(spans.close())
    assert counts(spans) == {"maprun_spans_sent": 0, "maprun_spans_dropped": 0}


@pytest.mark.parametrize(("caller", "shown"), [(span_of("arn"), 1), ("", 0)])
def test_calls_have_spans_where_their_execution_has_one(caller: str, shown: int) -> None:
    """Both kinds of calls, those that take no coroutine too; whoever asked hears the outcome as before."""
    collector = Collector()
    request, outcome = traced(TaskRequested("r", "f", b"{}"), HEADER, "key", caller), TaskSucceeded("r", b"1")
    heard: list[Any] = []

    async def run_task(_request: TaskRequested, _key: str) -> TaskOutcome:
        return outcome

    def begin(_request: TaskRequested, _key: str, done: Any, of: Any) -> object:
        done(of, outcome)
        return True

    async def story(spans: Spans) -> None:
        assert await spans.measured(run_task)(request, "key") is outcome
        spans.measured_begin(begin)(request, "key", lambda *told: heard.append(told), "one")

    played(collector, story)
    assert heard == [("one", outcome)]
    kinds = [(span["kind"], span["spanId"], span["parentSpanId"]) for span in collector.spans]
    assert kinds == 2 * shown * [(CLIENT, span_of("key"), caller)]
