"""Logs are events with names and ids (rule R15): JSON lines for machines, colours for a person, secrets for nobody."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from maprun.runtime import clock
from maprun.runtime.error_counts import ErrorCounts

_SECRET_KEYS = re.compile(r"(?i)secret|password|passwd|token|credential|authorization|access_key|session_key")
_SECRET_VALUES = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?i:bearer|basic)\s+[A-Za-z0-9+/._~-]{12,}=*")
_HIDDEN = "[hidden]"
ERRORS = ErrorCounts()
"""The error events of this process's log."""


def configure(service: str, instance: str, log_format: str = "json", level: str = "info") -> None:
    """Sends structlog's and the standard library's events to stderr. Called once, by a main.

    `log_format` is `json` or `console`; `level` is debug, info, warning or error. `service` and `instance` stand on
    every line.
    """
    number = getattr(logging, level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        count_errors,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_bind(service, instance), structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    # Libraries say at info what only they care about; their warnings are ours.
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose every line says which room speaks."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=name)
    return bound


def count_errors(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Counts an event if it is an error: one of ours by its name, a library's by its logger. A structlog processor."""
    if event["level"] in {"error", "critical"}:
        name = f"logger:{event['logger']}" if "logger" in event else str(event["event"])
        ERRORS.add(name, clock.monotonic_seconds())
    return event


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event with values of secret-looking names, and secret-looking texts, replaced. A structlog processor."""
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = _HIDDEN
        elif isinstance(value, str):
            event[key] = _SECRET_VALUES.sub(_HIDDEN, value)
    return event


def _bind(service: str, instance: str) -> structlog.typing.Processor:
    """A processor that names the process on lines which come from the standard library's logging."""

    def bind(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        event.setdefault("instance", instance)
        return event

    return bind
