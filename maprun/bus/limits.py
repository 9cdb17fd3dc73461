"""The bus's own sizes and times; what other rooms must agree on stands in `maprun.runtime.limits`."""

import msgspec

from maprun.runtime.limits import Limits

_SENT_AGAIN = 3  # a record is sent at least so often before the process gives up


class BusLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is fetched, held and waited for by one process."""

    feed_bytes_max: int = 4 << 20  # of one feed, waiting in its mailbox: above it the feed isn't fetched
    partition_fetch_bytes_max: int = 2 << 20  # of one partition in one answer; a bigger record still comes, alone
    fetch_connections_max: int = 6  # per broker: two for long polls over quiet partitions, the others for busy ones
    quiet_poll_ms: int = 500  # how long the broker holds a request over partitions where nothing came
    busy_poll_ms: int = 50  # the same for partitions that had records in their last answer, or are new
    fetch_retry_seconds: float = 0.2
    cut_back_seconds: float = 20.0  # a log that ends before a kept position for so long was cut: no broker catches up
    request_seconds_max: float = 10.0  # MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS: then the connection counts as broken

    batch_bytes_max: int = 1 << 20  # of one partition in one produce request
    linger_ms: int = 0  # a request under way gathers what follows it, so waiting on purpose gains little
    send_seconds_max: float = 30.0  # a record not acknowledged by then ends the process

    rebalance_seconds_max: float = 30.0  # a member that lives but doesn't rejoin by then is put out of its group
    owner_retry_seconds: float = 0.2  # before an owner that lost Kafka starts again; doubles
    owner_retry_seconds_max: float = 5.0
    calls_at_once_max: int = 32  # of `Port.call`, but for those that take longer than this:
    call_patience_seconds: float = 1.0
    threads_max: int = 1024  # for all of them: what hangs costs a thread and 100 KB


def bus_limits_of(limits: Limits) -> BusLimits:
    """The bus's limits beside these: a group waits for its members longer than any lease lasts."""
    least = BusLimits()
    return BusLimits(
        request_seconds_max=limits.request_seconds_max,
        send_seconds_max=max(least.send_seconds_max, _SENT_AGAIN * limits.request_seconds_max),
        rebalance_seconds_max=max(least.rebalance_seconds_max, 2 * limits.session_timeout_seconds),
    )


def check(own: BusLimits, limits: Limits) -> BusLimits:
    """The same limits, if they fit together with the process's. Raises AssertionError naming the pair that doesn't."""
    lease = limits.session_timeout_seconds - limits.lease_margin_seconds
    # A commit is accepted while the group waits for its members to rejoin: the lease it renews must end before the
    # group stops waiting, also for a member that learns of the rebalance only from its next heartbeat.
    assert limits.heartbeat_interval_seconds + limits.drain_seconds + lease < own.rebalance_seconds_max, (
        "a lease must end before a silent member is put out"
    )
    assert own.partition_fetch_bytes_max <= limits.fetch_bytes_max, "one partition's share is part of an answer"
    assert own.batch_bytes_max <= limits.record_bytes_max, "a batch must pass where one record passes"
    assert own.busy_poll_ms <= own.quiet_poll_ms < own.request_seconds_max * 1000, "a poll must end before its request"
    return own
