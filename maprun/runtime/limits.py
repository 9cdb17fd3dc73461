"""The named limits of a process, with their units, and the relations between them (rule R9)."""

import msgspec

from maprun.runtime.settings import Settings

_FETCH_BYTES_MIN = 16 << 20
_BESIDE_BYTES = 1 << 20  # names, headers and what else stands beside the largest thing in a record


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times and sizes that several rooms must agree on. `check` asserts how they hang together."""

    frame_bytes_max: int = 1 << 20  # a frame is cut here before it is sent
    record_bytes_max: int = 10 << 20  # MAPRUN_RECORD_BYTES_MAX: the topics' max.message.bytes, every client's limit
    record_overhead_bytes: int = 2_048  # of a record and its batch, headers included
    fetch_bytes_max: int = 16 << 20  # one answer of the broker to one consumer
    payload_bytes_max: int = 262_144  # AWS: input or output of a state, a task or an execution
    request_bytes_max: int = 1 << 20  # AWS: one API call

    commit_interval_seconds: float = 1.0  # group commits are also the proof of membership
    request_seconds_max: float = 10.0  # MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS: then a connection counts as broken
    session_timeout_seconds: float = (
        8.0  # MAPRUN_SESSION_TIMEOUT_SECONDS: a member not heard of for so long has lost its partitions
    )
    heartbeat_interval_seconds: float = 2.0
    lease_margin_seconds: float = 2.0  # of the session timeout kept back for pauses between check and send
    drain_seconds: float = 5.0  # from a revocation to handing over

    calls_seconds: float = 1.5  # MAPRUN_DRAIN_SECONDS: for calls under way, once a process is told to stop
    stop_seconds_max: float = 20.0  # from SIGTERM to the end of the process, those included
    ready_seconds_max: float = 60.0  # a service that is not ready by then is reported

    @property
    def content_bytes_max(self) -> int:
        """Of the largest single thing in a record: an item, a history, a result."""
        return self.record_bytes_max - _BESIDE_BYTES

    @property
    def value_bytes_max(self) -> int:
        """The largest value (with its key) of a record that may be sent."""
        return self.record_bytes_max - self.record_overhead_bytes

    @property
    def plan_bytes_max(self) -> int:
        """What a Map Run may be asked for with: it travels with the whole definition, which is one API call at most."""
        return self.value_bytes_max - self.request_bytes_max - (64 << 10)


def limits_of(settings: Settings) -> Limits:
    """The limits under these settings, checked. Times of membership are shares of the session timeout."""
    session = settings.session_timeout_seconds
    return check(
        Limits(
            record_bytes_max=settings.record_bytes_max,
            fetch_bytes_max=max(_FETCH_BYTES_MIN, settings.record_bytes_max),
            request_seconds_max=settings.request_timeout_seconds,
            session_timeout_seconds=session,
            heartbeat_interval_seconds=session / 4,
            lease_margin_seconds=session / 4,
            drain_seconds=min(Limits().drain_seconds, session * 5 / 8),
            calls_seconds=settings.drain_seconds,
            stop_seconds_max=Limits().stop_seconds_max - Limits().calls_seconds + settings.drain_seconds,
        )
    )


def check(limits: Limits) -> Limits:
    """The same limits, if they fit together. Raises AssertionError naming the pair that doesn't."""
    assert limits.frame_bytes_max * 4 <= limits.record_bytes_max, "a frame may grow by its headers and one long item"
    assert limits.record_bytes_max <= limits.fetch_bytes_max, "a record that can be written must be readable"
    assert limits.payload_bytes_max < limits.frame_bytes_max, "one item must fit into a frame"
    assert limits.payload_bytes_max < limits.content_bytes_max, "a payload must fit beside what else a record holds"
    assert limits.request_bytes_max <= limits.record_bytes_max // 2, "an API call must fit into a record"
    assert limits.heartbeat_interval_seconds * 3 <= limits.session_timeout_seconds, "two lost heartbeats are no death"
    lease = limits.session_timeout_seconds - limits.lease_margin_seconds
    assert limits.commit_interval_seconds * 2 < lease, "a lease must outlive two commits"
    assert limits.drain_seconds < lease, "who drains must still own what it drains"
    assert limits.drain_seconds + limits.calls_seconds < limits.stop_seconds_max, "a stop contains both drains"
    return limits
