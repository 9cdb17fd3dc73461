"""Mocked results of Tasks, held against the models of the services whose answers they stand for.

A result has the spelling that Step Functions gives it: the service's own members with a capital in an optimised
integration, the Java SDK's in `aws-sdk` ones. Members that no model knows are passed over.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore import xform_name

from maprun.aws.java_names import botocore_name
from maprun.aws.sdk_shapes import OPTIMISED_SPELLING, SDK_SPELLING, Spelling
from maprun.integrations.executions import START
from maprun.integrations.jobs import Job
from maprun.integrations.registry import SERVICES
from maprun.integrations.resources import Integration, Pattern, parse_resource

_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
    "list": (list, "an array"),
    "string": (str, "a string"),
    "integer": (int, "a number"),
    "long": (int, "a number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": (bool, "a boolean"),
    "timestamp": ((str, int, float), "a string"),
}
"""type of a shape → (JSON values of it, its name in messages); a blob may be any value: its text, or what it holds."""
_STATES = "stepfunctions"
_DESCRIBED = "describeExecution"
_OUTPUT = "Output"


def fault_of(resource: str, result: Any, strict: bool) -> str:
    """What is wrong with a mocked result of this Resource, in AWS's words; "" = nothing.

    `strict`: members that the model requires must be there. A function's answer, an activity's and that of whoever
    holds a task token may be anything.
    """
    named = parse_resource(resource)
    if not isinstance(named, Integration) or named.pattern is Pattern.CALLBACK:
        return ""
    shape = _result_shape(named)
    if shape is None:
        return ""
    spelling = SDK_SPELLING if named.is_sdk else OPTIMISED_SPELLING
    free = {_OUTPUT} if named.pattern is Pattern.RUN_A_JOB_2 else set()  # whose JSON the integration has parsed
    if isinstance(result, dict):
        result = {name: value for name, value in result.items() if name not in free}
    return next(_faults(result, shape, spelling, "result", strict), "")


@lru_cache(maxsize=512)
def _result_shape(named: Integration) -> Any:
    """The model of what the integration's result is; None where botocore has none.

    That of a job is what it is asked after with in the end.
    """
    session = _session()
    available = frozenset(session.get_available_services())
    service, action = _asked(named)
    service = botocore_name(service, available)
    if service not in available or not action:
        return None
    model, action = session.get_service_model(service), xform_name(action)
    operation = next((name for name in model.operation_names if xform_name(name) == action), None)
    return None if operation is None else model.operation_model(operation).output_shape


def _asked(named: Integration) -> tuple[str, str]:
    """(service, action) of the SDK whose answer the result is; no action where nobody knows it."""
    if named.is_sdk:
        return named.service, named.action
    if named.service == START.service:
        return _STATES, named.action if named.pattern is Pattern.REQUEST_RESPONSE else _DESCRIBED
    service = SERVICES.get(named.service)
    if service is None:
        return named.service, ""
    if named.pattern is Pattern.REQUEST_RESPONSE:
        sent = service.sent.get(named.action)
        return service.sdk or named.service, named.action if sent is None else sent.action
    job = service.jobs.get(named.action)
    return service.sdk or named.service, job.look.action if isinstance(job, Job) else ""


@lru_cache(maxsize=1)
def _session() -> Any:
    return botocore.session.Session()


def _faults(value: Any, shape: Any, spelling: Spelling, field: str, strict: bool) -> Iterator[str]:
    kind: str = shape.type_name
    if kind not in _KINDS or shape.serialization.get("jsonvalue") or getattr(shape, "is_document_type", False):
        return
    types, words = _KINDS[kind]
    if not _is_of(value, types, kind):
        yield f"Field '{field}' must be {words}"
    elif kind == "structure":
        yield from _member_faults(value, shape, spelling, strict)
    elif kind == "list":
        yield from _out_of_bounds(len(value), shape, field, "size")
        for item in value:
            yield from _faults(item, shape.member, spelling, field, strict)
    elif kind == "map":
        yield from _out_of_bounds(len(value), shape, field, "size")
        for key, item in value.items():
            yield from _faults(item, shape.value, spelling, key, strict)
    elif kind == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"Field '{field}' is not an expected value"
        yield from _out_of_bounds(len(value), shape, field, "length")
    elif kind not in ("boolean", "timestamp"):
        yield from _out_of_bounds(value, shape, field, "value")


def _is_of(value: Any, types: type | tuple[type, ...], kind: str) -> bool:
    """Python takes a boolean for a number."""
    return isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool))


def _member_faults(value: dict[str, Any], shape: Any, spelling: Spelling, strict: bool) -> Iterator[str]:
    required = shape.required_members if strict else ()
    for name, member in shape.members.items():
        spelt = spelling.member(shape.name, name)
        if value.get(spelt) is None:
            if name in required:
                yield f"Required field '{spelt}' is missing"
        else:
            yield from _faults(value[spelt], member, spelling, spelt, strict)


def _out_of_bounds(size: float, shape: Any, field: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"Field '{field}' is smaller than the minimum {what}"
    if most is not None and size > most:
        yield f"Field '{field}' exceeds the maximum {what}"
