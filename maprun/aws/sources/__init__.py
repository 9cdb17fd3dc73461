"""Bounded, resumable streams of item records, one module a kind of source."""

from maprun.aws.errors import SourceError, SourceRecordTooLargeError, SourceUnavailableError
from maprun.aws.sources.contract import Chunk, Source
from maprun.aws.sources.opening import open_source, source_text
from maprun.aws.sources.state_input import StateInputSource

__all__ = [
    "Chunk",
    "Source",
    "SourceError",
    "SourceRecordTooLargeError",
    "SourceUnavailableError",
    "StateInputSource",
    "open_source",
    "source_text",
]
