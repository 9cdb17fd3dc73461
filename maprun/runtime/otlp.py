"""Spans sent to an OpenTelemetry collector: OTLP over HTTP, as JSON. Nothing waits for it, and it holds up nothing."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from maprun.runtime import clock, logs
from maprun.runtime.aws_metrics import Begin, Done, RunTask
from maprun.runtime.settings import Settings
from schemas.effects import TaskOutcome, TaskRequested
from schemas.spans import Span, call_span

PATH: Final = "/v1/traces"
SPANS_MAX: Final = 10_000
"""That wait to be sent; what comes beyond is dropped and counted."""
BATCH_MAX: Final = 1_000
LINGER_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)
"""Between the attempts to send a batch; after the last one it is dropped."""
REQUEST_SECONDS_MAX: Final = 10.0
_AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers that OTLP/HTTP says are to be repeated."""
_FAILED: Final = 2


class Spans(Collector):
    """Takes spans, and sends them from within the running loop. Without an endpoint it is `on` for nobody."""

    def __init__(self, endpoint: str, service: str, instance: str, wall_ms: Callable[[], int]) -> None:
        self.on = bool(endpoint)
        self._url = endpoint.rstrip("/") + PATH
        self._resource = {"service.name": service, "service.namespace": "maprun", "service.instance.id": instance}
        self._wall_ms = wall_ms
        self._waiting: list[Span] = []
        self._sending: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._said = False
        self._counts = {"maprun_spans_sent": 0, "maprun_spans_dropped": 0}

    def add(self, span: Span) -> None:
        """Has a span sent, unless too many wait."""
        if not self.on:
            return
        if len(self._waiting) >= SPANS_MAX:
            self._counts["maprun_spans_dropped"] += 1
            return
        self._waiting.append(span)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def measured(self, run_task: RunTask) -> RunTask:
        """The same calls of Tasks, each with its span if its execution has one."""

        async def run(request: TaskRequested, key: str) -> TaskOutcome:
            if not (self.on and request.caller):
                return await run_task(request, key)
            began_ms = self._wall_ms()
            outcome = await run_task(request, key)
            self._called(request, outcome, began_ms)
            return outcome

        return run

    def measured_begin(self, begin: Begin) -> Begin:
        """The same of calls that take no coroutine."""

        def over(call: tuple[Done, Any, TaskRequested, int], outcome: TaskOutcome) -> None:
            done, of, request, began_ms = call
            self._called(request, outcome, began_ms)
            done(of, outcome)

        def begun(request: TaskRequested, key: str, done: Done, of: Any) -> Any:
            if not (self.on and request.caller):
                return begin(request, key, done, of)
            return begin(request, key, over, (done, of, request, self._wall_ms()))

        return begun

    def _called(self, request: TaskRequested, outcome: TaskOutcome, began_ms: int) -> None:
        span = call_span(request, outcome, began_ms, self._wall_ms())
        if span is not None:
            self.add(span)

    async def close(self) -> None:
        """Sends what waits, once; what can't be sent then is dropped."""
        self._closing.set()
        if self._sending is not None:
            await self._sending

    # ------------------------------------------------------------------ sending

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while self._waiting or not self._closing.is_set():
                await self._pause(LINGER_SECONDS)
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                if batch:
                    name = "maprun_spans_sent" if await self._sent(http, batch) else "maprun_spans_dropped"
                    self._counts[name] += len(batch)

    async def _sent(self, http: aiohttp.ClientSession, batch: list[Span]) -> bool:
        body, trouble = encoded(self._resource, batch), ""
        for seconds in (*PATIENCE_SECONDS, 0.0):
            try:
                async with http.post(self._url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    if answer.ok:
                        self._said = False
                        return True
                    trouble = f"HTTP status {answer.status}"
                    if answer.status not in _AGAIN:
                        break
            except (aiohttp.ClientError, TimeoutError) as error:
                trouble = repr(error)
            if self._closing.is_set():
                break
            await self._pause(seconds)
        if not self._said:  # once until it works again
            self._said = True
            logs.logger("traces").warning("spans_not_sent", url=self._url, error=trouble)
        return False

    async def _pause(self, seconds: float) -> None:
        """Waits, but not beyond `close`."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    # ------------------------------------------------------------------ what Prometheus reads

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not collect once to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Spans sent, and dropped."""
        for name, count in self._counts.items():
            counter = CounterMetricFamily(name, f"Spans {name.rpartition('_')[2]}.")
            counter.add_metric([], count)
            yield counter


def spans_of(settings: Settings, service: str) -> Spans:
    """Those of one process."""
    return Spans(settings.otlp, service, settings.instance, clock.wall_ms)


def encoded(resource: dict[str, str], spans: list[Span]) -> bytes:
    """An ExportTraceServiceRequest, in OTLP's JSON: ids are hexadecimal, times nanoseconds in texts."""
    scope = {"scope": {"name": "maprun"}, "spans": [_encoded(span) for span in spans]}
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": _pairs(resource)}, "scopeSpans": [scope]}]}
    ).encode()


def _encoded(span: Span) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.began_ms * 1_000_000),
        "endTimeUnixNano": str(span.ended_ms * 1_000_000),
        "attributes": _pairs(dict(span.attributes)),
    }
    if span.parent_id:
        shown["parentSpanId"] = span.parent_id
    if span.error:
        shown["status"] = {"code": _FAILED, "message": span.error}
    return shown


def _pairs(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
