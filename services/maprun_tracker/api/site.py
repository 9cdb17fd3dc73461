"""The HTTP site: AWS JSON 1.0 over POST /, what AWS has no operation for over GET, health and metrics."""

import asyncio
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import aiohttp
import msgspec
from aiohttp import web

from maprun.aws.own_calls import OwnSigner
from maprun.integrations.executions import TASK_PATTERN_HEADER, TASK_TOKEN_HEADER
from maprun.integrations.resources import Pattern
from maprun.language.depth import json_depth_ok
from maprun.requests.checks import Refusal
from maprun.requests.starts import TRACE_HEADER_CHARS_MAX, derived_id
from maprun.runtime import health, logs
from maprun.runtime.connections import attended
from schemas.traces import XRAY_HEADER
from services.maprun_tracker import console, metrics
from services.maprun_tracker.access.allowed import ANYBODY, Target, check_allowed, targets_of
from services.maprun_tracker.access.gate import Gate, changes
from services.maprun_tracker.api import executions, front, identity, inputs, open_runs, runs, shapes, watching_shapes
from services.maprun_tracker.api.bodies import Bodies, BodyLimits
from services.maprun_tracker.api.deletions import Deletions
from services.maprun_tracker.api.errors import UNAVAILABLE, ElsewhereError, ThrottledError, Unavailable
from services.maprun_tracker.api.front import CALLER, TARGET_PREFIX
from services.maprun_tracker.api.holding import Holding, Reply
from services.maprun_tracker.api.operations import (
    GET_ACTIVITY_TASK,
    LIST_EXECUTIONS,
    OPEN_RUNS,
    OPERATIONS,
    OWN_ACTS,
    OWN_PATHS,
    Answer,
    decode,
)
from services.maprun_tracker.api.owners import (
    HOMES_HEADER,
    INVOCATION_HEADER,
    PEER_PATH,
    Owners,
    PeerAnswer,
    PeerRequest,
    hand_on,
)
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token

BODY_DEPTH_MAX = 64


Asked = TypeVar("Asked", bound=msgspec.Struct)


class Site:
    """The tracker's site. `process_key` tells this process from any other, for ids of calls that bring none."""

    def __init__(
        self,
        service: Service,
        owners: Owners,
        process_key: str,
        api: str = "",
        hosts: Collection[str] = (),
        gate: Gate | None = None,
        signer: OwnSigner | None = None,
    ) -> None:
        """`api` is the process's own address, `hosts` what names it has beside that one's.

        With a `gate` requests must be signed; `signer` signs those to other processes.
        """
        self.service = service
        self.owners = owners
        self._process_key = process_key
        self._names = (api, hosts)
        self._gate = gate
        self._signer = signer
        self._body_bytes_max = front.body_bytes_max(service.input_bytes_max)
        self._body_limits = BodyLimits(self._body_bytes_max)
        self._calls = itertools.count()
        self._http: aiohttp.ClientSession | None = None
        self._stopping = False
        limits = service.limits
        self.holding = Holding(limits.hold_seconds_max, limits.held_requests_max, service.port.monotonic)
        self._log = logs.logger("api")
        self.deletions = Deletions(service, self.any_open)
        service.finish_deletion = self.deletions.finish

    def application(self, ready: health.Check, healthy: health.Check) -> web.Application:
        """The aiohttp application."""
        pages = console.routes()
        open_paths = front.HEALTH_PATHS | {page.path for page in pages}
        application = web.Application(
            middlewares=[
                attended,
                front.middleware(*self._names, self._fresh),
                front.admission(Bodies(self._body_limits), self._gate, open_paths),
            ]
        )
        for before in ("", PEER_PATH):
            application.add_routes([web.post(before or "/", self._post)])
            application.add_routes([web.get(before + path, self._get) for path in OWN_PATHS])
            application.add_routes([web.post(before + path, self._act) for path in OWN_ACTS])
        application.add_routes(health.routes(ready, healthy))
        application.add_routes(pages)
        application.on_startup.append(self._start)
        application.on_shutdown.append(self._stop)
        application.on_cleanup.append(self._close)
        return application

    async def _start(self, _application: web.Application) -> None:
        # as many at once as ask: a thousand workers may wait for activities of other processes
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def _stop(self, _application: web.Application) -> None:
        """Requests that wait at other processes are given up: their clients ask again, and a process ends at once."""
        self._stopping = True

    async def _close(self, _application: web.Application) -> None:
        await self.service.tests.close()
        if self._http is not None:
            await self._http.close()

    # ------------------------------------------------------------------ one request

    async def _post(self, request: web.Request) -> web.Response:
        call = self._call(request)
        body = front.unpacked(request[front.BODY], request.headers.get("Content-Encoding", ""), self._body_bytes_max)
        if identity.is_query(request.headers):
            return identity.answer(self.service.names, call.request_id, request.headers, body, call.caller)
        target = request.headers.get("X-Amz-Target", "")
        waits_seconds = self.service.limits.poll_seconds if target == TARGET_PREFIX + GET_ACTIVITY_TASK else 0.0
        asked = PeerRequest("", request.headers, body, call.attempt_of, waits_seconds)
        return await self._answered(call, asked, body, target)

    async def _get(self, request: web.Request) -> web.Response:
        """`GET /maprun/…?arn=…`: what AWS has no operation for, as OWN_PATHS lists it."""
        call, path = self._call(request), request.path.removeprefix(PEER_PATH)
        members: dict[str, str | None] = dict(request.query)
        about = OWN_PATHS[path].arn_member
        if about:
            members[about] = members.pop("arn", None)
        asked = PeerRequest(request.rel_url.raw_path_qs, request.headers, b"", call.attempt_of)
        return await self._answered(call, asked, msgspec.json.encode(members), path)

    async def _act(self, request: web.Request) -> web.Response:
        """`POST /maprun/…` with JSON, as OWN_ACTS lists it."""
        call, path = self._call(request), request.path.removeprefix(PEER_PATH)
        body = front.unpacked(request[front.BODY], request.headers.get("Content-Encoding", ""), self._body_bytes_max)
        return await self._answered(call, PeerRequest(path, request.headers, body, call.attempt_of), body, path)

    def _call(self, request: web.Request) -> Call:
        fresh, headers = self._fresh(), request.headers
        caller = request.get(CALLER, ANYBODY)
        return Call(
            fresh,
            caller.attempt_of(headers.get(INVOCATION_HEADER, "")) or fresh,
            request.path.startswith(PEER_PATH),
            headers.get(TASK_TOKEN_HEADER, ""),
            headers.get(TASK_PATTERN_HEADER) == Pattern.RUN_A_JOB_2,
            headers.get(XRAY_HEADER, "")[:TRACE_HEADER_CHARS_MAX],
            lambda: request.transport is not None and not request.transport.is_closing(),
            caller,
        )

    def _fresh(self) -> str:
        return derived_id(self._process_key, next(self._calls))

    async def _answered(self, call: Call, asked: PeerRequest, body: bytes, target: str) -> web.Response:
        name = target.removeprefix(TARGET_PREFIX) if _known(target) else "unknown"

        def gone() -> bool:
            """True once the client has hung up; a peer asks again by itself, when it knows whom."""
            return call.forwarded or self._stopping or not call.connected()

        with metrics.SECONDS.labels(name).time():
            reply = self._throttled(call, body, name)
            if reply is None:
                reply = await self.holding.answer(lambda: self._reply(call, asked, body, target), gone)
        metrics.REQUESTS.labels(name, reply.code).inc()
        if call.caller.arn and target not in OWN_PATHS and changes(name):
            self._log_act(call, name, body, reply)
        return reply.response

    def _log_act(self, call: Call, operation: str, body: bytes, reply: Reply) -> None:
        """Who changed what: a line for each request that may change something, whatever came of it."""
        known = OPERATIONS.get(operation) or OWN_ACTS.get(operation)
        targets: Sequence[Target] = ()
        try:
            if known is not None:
                asked = decode(known.asked, body)
                targets = targets_of(operation, asked, self.service.names, self.service.secret)
        except Refusal:
            pass  # what it was is in the answer
        self._log.info(
            "acted",
            asked_by=call.caller.name,
            operation=operation,
            on=[target.arn for target in targets],
            answer=reply.code or "done",
            status=reply.response.status,
            request_id=call.request_id,
        )

    def _throttled(self, call: Call, body: bytes, name: str) -> Reply | None:
        """The refusal of a request that came too soon; counted where it came in, and not where it is handed on to."""
        if call.forwarded:
            return None
        try:
            self.service.quotas.check_rate(name, body, self.service.machines, 1 + len(self.owners.others()))
        except ThrottledError as throttled:
            return _refused(call, throttled)
        return None

    async def _reply(self, call: Call, asked: PeerRequest, body: bytes, target: str) -> Reply:
        """The answer, or the refusal."""
        try:
            answer = await self._operation(call, asked, body, target)
        except ElsewhereError as elsewhere:
            return await self._elsewhere(call, elsewhere, asked)
        except Refusal as refusal:
            return _refused(call, refusal)
        except Exception:  # noqa: BLE001 - a request's dead letter is its 500; the bug is in the log, not in the answer
            self._log.exception("request_failed", target=target, request_id=call.request_id)
            return _refused(call, Refusal("InternalFailure", "The request failed; the log has the reason."))
        response = front.response(call.request_id, 200, msgspec.json.encode(answer))
        if call.forwarded:
            response.headers[HOMES_HEADER] = ",".join(map(str, self.service.parts.owned()))
        return Reply("", response)

    async def _operation(self, call: Call, asked: PeerRequest, body: bytes, target: str) -> Answer:
        if not json_depth_ok(body, BODY_DEPTH_MAX):
            raise Refusal("SerializationException", f"The request nests more than {BODY_DEPTH_MAX} levels.")
        own = OWN_PATHS.get(target) or OWN_ACTS.get(target)
        if own is not None:
            ask = self._allowed(call, own.like, decode(own.asked, body, strict=target in OWN_ACTS))
            return await (self._open_runs(call, asked) if target == OPEN_RUNS else own.handle(self.service, ask, call))
        name = target.removeprefix(TARGET_PREFIX)
        if name == LIST_EXECUTIONS:
            ask = self._allowed(call, name, decode(inputs.ListExecutions, body))
            return await self._list_executions(ask, call, asked.headers)
        operation = OPERATIONS.get(name)
        if operation is None or not target.startswith(TARGET_PREFIX):
            raise Refusal("UnknownOperationException", _unknown(target, identity.signed_for(asked.headers)))
        ask = self._allowed(call, name, decode(operation.asked, body))
        self.service.quotas.check_room(ask, self.service.machines, self.service.names)
        return await operation.handle(self.service, ask, call)

    def _allowed(self, call: Call, operation: str, asked: Asked) -> Asked:
        """The members of a request, if its caller may ask it. Raises Refusal (AccessDeniedException)."""
        check_allowed(call.caller, operation, asked, self.service.names, self.service.secret)
        return asked

    # ------------------------------------------------------------------ other processes

    async def _elsewhere(self, call: Call, elsewhere: ElsewhereError, asked: PeerRequest) -> Reply:
        url = self.owners.url_of(elsewhere.home)
        if call.forwarded or url is None or self._http is None:
            return _refused(call, Unavailable(f"Home {elsewhere.home} has no owner just now; try again."))

        def asks() -> bool:
            """True while that process is to be asked, and somebody waits for its answer."""
            return not self._stopping and call.connected() and self.owners.url_of(elsewhere.home) == url

        try:
            answer = await hand_on(self._http, self._signer, url, asked, asks)
        except Unavailable as unavailable:
            return _refused(call, unavailable)
        response = front.response(call.request_id, answer.status, answer.body, answer.retry_after_seconds)
        return Reply("elsewhere", response, may_come=answer.status == UNAVAILABLE)

    async def _list_executions(
        self, ask: inputs.ListExecutions, call: Call, headers: Mapping[str, str]
    ) -> shapes.ExecutionList:
        """ListExecutions: of a Map Run from its home; of a machine from all homes, whoever owns them."""
        runs.check_list(ask)
        if ask.map_run_arn is not None:
            return await runs.list_children(self.service, ask)
        service, arn, status = self.service, ask.state_machine_arn or "", ask.status_filter
        await executions.check_machine(service, arn)
        missing = service.parts.ready()
        if missing:
            raise Unavailable(missing)
        query = ("ListExecutions", arn, status, ask.redrive_filter)
        below = read_token(ask.next_token, query, tuple[int, str])
        size = ask.max_results or service.limits.page_default
        try:
            await executions.all_folded(service)
        except ElsewhereError as lost:
            raise Unavailable(f"Home {lost.home} goes to another process just now; try again.") from lost
        own = executions.newest_of_machine(service, ask, below, size + 1)
        lists = [shapes.ExecutionList(executions=own)]
        if not call.forwarded:
            homes = set(service.parts.owned())
            lists += await self._from_others(msgspec.structs.replace(ask, max_results=size), call, headers, homes)
        merged = sorted(itertools.chain(*(each.executions for each in lists)), key=_age, reverse=True)
        cut = merged[:size]
        more = len(merged) > size or any(each.next_token for each in lists)
        token = make_token(query, _age(cut[-1])) if more else None
        return shapes.ExecutionList(executions=cut, next_token=token)

    async def any_open(self, arn: str) -> bool:
        """Whether an execution of a state machine is open, on whatever home. Raises Unavailable."""
        fresh = self._fresh()
        ask = inputs.ListExecutions(state_machine_arn=arn, status_filter="RUNNING", max_results=1)
        listed = await self._list_executions(ask, Call(fresh, fresh), {"X-Amz-Target": TARGET_PREFIX + LIST_EXECUTIONS})
        return bool(listed.executions)

    async def _open_runs(self, call: Call, asked: PeerRequest) -> watching_shapes.OpenMapRunList:
        """The open Map Runs of all homes, as far as their owners answer."""
        lists = [await open_runs.open_runs(self.service, open_runs.OpenRunsAsked(), call)]
        if not call.forwarded:
            answers = await asyncio.gather(
                *(self._from_other(url, asked) for url in self.owners.others()), return_exceptions=True
            )
            for answer in answers:
                if isinstance(answer, PeerAnswer) and answer.status == 200:  # noqa: PLR2004 - OK
                    lists.append(msgspec.json.decode(answer.body, type=watching_shapes.OpenMapRunList))
                elif isinstance(answer, BaseException) and not isinstance(answer, Unavailable):
                    raise answer
        return open_runs.merged(lists, self.service.homes)

    async def _from_others(
        self, ask: inputs.ListExecutions, call: Call, headers: Mapping[str, str], homes: set[int]
    ) -> list[shapes.ExecutionList]:
        """The lists of all other processes, which speak for all homes but these. Raises Unavailable when one lacks."""
        body = msgspec.json.encode(_given(ask))
        asked = PeerRequest("", headers, body, call.attempt_of)
        answers = await asyncio.gather(*(self._from_other(url, asked) for url in self.owners.others()))
        if any(answer.status != 200 for answer in answers):  # noqa: PLR2004 - OK
            raise Unavailable("Another process of the tracker can't answer just now; try again.")
        if homes.union(*(answer.homes for answer in answers)) != set(range(self.service.homes)):
            raise Unavailable("Some homes have no owner just now; try again.")
        return [msgspec.json.decode(answer.body, type=shapes.ExecutionList) for answer in answers]

    async def _from_other(self, url: str, asked: PeerRequest) -> PeerAnswer:
        assert self._http is not None
        return await hand_on(self._http, self._signer, url, asked, lambda: url in self.owners.others())


def _age(item: shapes.ExecutionItem) -> tuple[int, str]:
    return round(item.start_date * 1000), item.execution_arn


def _unknown(target: str, service: str) -> str:
    """Why there is no such operation here; a request of another service was led here by a setting for all of AWS."""
    told = f"Unknown operation: '{target}'"
    if service in {"", "states"}:
        return told
    return (
        f"{told}. {identity.ENDPOINT_SHOWN}, not for '{service}': AWS_ENDPOINT_URL_SFN leads only Step Functions here."
    )


def _given(ask: inputs.ListExecutions) -> dict[str, object]:
    """A request's members as they were given."""
    members = {
        "stateMachineArn": ask.state_machine_arn,
        "statusFilter": ask.status_filter,
        "maxResults": ask.max_results,
        "nextToken": ask.next_token,
        "redriveFilter": ask.redrive_filter,
    }
    return {member: value for member, value in members.items() if value is not None}


def _known(target: str) -> bool:
    """True for what may become a metric's label: never a user's text."""
    name = target.removeprefix(TARGET_PREFIX)
    return name in OPERATIONS or target in {TARGET_PREFIX + LIST_EXECUTIONS, *OWN_PATHS, *OWN_ACTS}


def _refused(call: Call, refusal: Refusal) -> Reply:
    may_come = isinstance(refusal, Unavailable) and refusal.may_come
    return Reply(refusal.code, front.refused(call.request_id, refusal), may_come)
