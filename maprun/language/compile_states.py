"""One function for each state type, from its own fields to its work."""

from collections.abc import Callable
from typing import Any

from maprun.integrations import declared
from maprun.integrations.resources import parse_resource
from maprun.language import jsonata, jsontext
from maprun.language.choice import compile_rule
from maprun.language.compile_map import map_work
from maprun.language.errors import runtime_error
from maprun.language.expression import Expression, field_value
from maprun.language.fields import Source, amount, assignments, payload, whole_number_of
from maprun.language.model import (
    ChoiceWork,
    FailWork,
    ParallelWork,
    PassWork,
    Rule,
    SucceedWork,
    TaskWork,
    WaitWork,
    Work,
)
from maprun.language.scope import Evaluate, Scope
from maprun.language.timestamps import parse_timestamp_ms
from schemas.quotas import SECONDS_MAX


def pass_work(source: Source) -> Work:
    """Pass."""
    if "Result" not in source.state:
        return PassWork()
    value = source.state["Result"]
    return PassWork(jsontext.encode(value), value)


def task_work(source: Source) -> Work:
    """Task: the resource decides which events tell of it, and whether it can run here."""
    state = source.state
    resource: str = state["Resource"]
    role = state.get("Credentials") or {}
    role_arn = payload(source, role, "Credentials") if role else None
    known = declared(resource, parse_resource(resource))
    return TaskWork(
        resource=resource,
        events=known.events,
        callback=known.callback,
        job=known.job,
        followed=known.followed,
        activity=known.activity,
        refusal=known.refusal,
        names_origin=known.names_origin,
        timeout_seconds=amount(source, state, "TimeoutSeconds"),
        heartbeat_seconds=amount(source, state, "HeartbeatSeconds"),
        role_arn=role_arn,
    )


def choice_work(source: Source) -> Work:
    """Choice."""
    rules = []
    for at, rule in enumerate(source.state["Choices"]):
        if source.jsonata:
            output = payload(source, rule["Output"], "Output") if "Output" in rule else None
            test = jsonata.compile_condition(rule["Condition"], f"Choices[{at}]/Condition")
        else:
            output, test = None, compile_rule(rule)
        rules.append(Rule(test, rule["Next"], assignments(source, rule), output))
    return ChoiceWork(tuple(rules), source.state.get("Default"))


def wait_work(source: Source) -> Work:
    """Wait: by a number of seconds or until a moment."""
    state = source.state
    if source.jsonata:
        return WaitWork(jsonata.compile_wait(state))
    if "Seconds" in state:
        span_ms = int(state["Seconds"]) * 1000
        return WaitWork(lambda _root, _scope, now_ms: now_ms + span_ms)
    if "Timestamp" in state:
        due = parse_timestamp_ms(state["Timestamp"]) or 0
        return WaitWork(lambda _root, _scope, _now_ms: due)
    if "SecondsPath" in state:
        return WaitWork(_seconds_at(Expression(state["SecondsPath"])))
    return WaitWork(_moment_at(Expression(state["TimestampPath"])))


def _seconds_at(path: Any) -> Callable[[Any, Scope, int], int]:
    read, text = field_value(path, "SecondsPath"), path.text

    def due_ms(root: Any, scope: Scope, now_ms: int) -> int:
        value = read(root, scope)
        shown = value if isinstance(value, str) else jsontext.encode(value).decode()
        span = whole_number_of(value)
        if span is None:
            raise runtime_error(f"The SecondsPath parameter cannot be parsed as a long value: {text} == {shown}")
        if span < 0:
            raise runtime_error(f"The SecondsPath parameter references a negative value: {text} == {shown}")
        if span > SECONDS_MAX:
            raise runtime_error(f"The SecondsPath parameter references a value above {SECONDS_MAX}: {text} == {shown}")
        return now_ms + span * 1000

    return due_ms


def _moment_at(path: Any) -> Callable[[Any, Scope, int], int]:
    read, text = field_value(path, "TimestampPath"), path.text

    def due_ms(root: Any, scope: Scope, _now_ms: int) -> int:
        value = read(root, scope)
        due = parse_timestamp_ms(value)
        if due is None:
            shown = value if isinstance(value, str) else jsontext.encode(value).decode()
            raise runtime_error(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format "
                f"string: {text} == {shown}"
            )
        return due

    return due_ms


def fail_work(source: Source) -> Work:
    """Fail."""
    return FailWork(_fail_text(source, "Error"), _fail_text(source, "Cause"))


def _fail_text(source: Source, field: str) -> Evaluate | None:
    state = source.state
    if f"{field}Path" in state:
        return field_value(Expression(state[f"{field}Path"]), f"{field}Path")
    if field not in state:
        return None
    value = state[field]
    if source.jsonata:
        return _text_of(payload(source, value, field), jsonata.source_of(value) or "", field)
    return lambda _root, _scope: value


def _text_of(evaluate: Evaluate, written: str, field: str) -> Evaluate:
    """The value of an expression that must be a string."""

    def text(root: Any, scope: Scope) -> Any:
        value = evaluate(root, scope)
        if not isinstance(value, str):
            raise jsonata.unexpected(written, field, "string", value)
        return value

    return text


def succeed_work(_source: Source) -> Work:
    """Succeed."""
    return SucceedWork()


def parallel_work(source: Source) -> Work:
    """Parallel."""
    return ParallelWork(tuple(map(source.sub_machine, source.state["Branches"])))


COMPILERS: dict[str, Callable[[Source], Work]] = {
    "Pass": pass_work,
    "Task": task_work,
    "Choice": choice_work,
    "Wait": wait_work,
    "Fail": fail_work,
    "Succeed": succeed_work,
    "Parallel": parallel_work,
    "Map": map_work,
}
