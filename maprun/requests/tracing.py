"""Whether an execution is traced: its header as it was given, or one that is made for it when its machine is traced.

Source: X-Ray's guide, "Configuring sampling rules": the default rule records the first request in each second, and five
percent of the others. Whoever started the execution under a trace has decided already.
"""

import hashlib
from typing import Final

import msgspec

from schemas.machines import TRACING_OFF
from schemas.traces import Trace, header_of, root_of, trace_of

SAMPLED_SHARE: Final = 0.05


class _Configuration(msgspec.Struct):
    enabled: bool = False


class Tracer:
    """Decides for the executions that one process lets in."""

    def __init__(self) -> None:
        self._second = -1  # in which one was recorded last

    def header(self, given: str, configuration: bytes, arn: str, now_ms: int) -> str:
        """The header that an execution carries. Without tracing what was given is passed on as it is."""
        if configuration in {b"", TRACING_OFF} or not _enabled(configuration):
            return given
        trace = trace_of(given) or Trace(root_of(arn, now_ms))
        if trace.sampled is None:
            trace = msgspec.structs.replace(trace, sampled=self._sampled(trace.root, now_ms))
        return header_of(trace)

    def _sampled(self, root: str, now_ms: int) -> bool:
        if now_ms // 1000 != self._second:
            self._second = now_ms // 1000
            return True
        digest = hashlib.blake2b(root.encode(), digest_size=4).digest()
        return int.from_bytes(digest) < SAMPLED_SHARE * (1 << 32)


def _enabled(configuration: bytes) -> bool:
    return msgspec.json.decode(configuration, type=_Configuration).enabled
