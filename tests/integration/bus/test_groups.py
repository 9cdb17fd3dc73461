"""Who owns what, when members come, are killed, come back or are stopped for a while."""

import contextlib
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from maprun.runtime.settings import Settings
from tests.integration.bus.broker import ROOT
from tests.integration.bus.hosting import SHORT, new_group

pytestmark = pytest.mark.integration

TOPIC, PARTITIONS = "item-asks", 4


class Member:
    """A member process and what it has said."""

    def __init__(self, settings: Settings, instance: str, group: str) -> None:
        argv = [sys.executable, "-m", "tests.integration.bus.member", settings.kafka, instance, TOPIC, group]
        self.process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.said: list[tuple[str, float, int]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                what, at, partition = line.split()
                self.said.append((what, float(at), int(partition)))

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def starts(self, partition: int) -> int:
        """How many owners of a partition have begun here."""
        return sum(1 for what, _, p in self.said if what == "start" and p == partition)

    def held_since(self, at: float) -> set[int]:
        """The partitions held under a lease at some moment since then."""
        return {p for what, when, p in self.said if what == "held" and when >= at}

    def spans(self, partition: int) -> list[tuple[float, float]]:
        """Times between two samples, both under the lease and no farther apart than samples are."""
        times = [at for what, at, p in self.said if what == "held" and p == partition]
        return [(a, b) for a, b in itertools.pairwise(times) if b - a < 0.1]


@contextlib.contextmanager
def members() -> Iterator[Callable[[Settings, str, str], Member]]:
    """Starts members, and kills all of them in the end."""
    started: list[Member] = []

    def start(settings: Settings, instance: str, group: str) -> Member:
        started.append(Member(settings, instance, group))
        return started[-1]

    try:
        yield start
    finally:
        for member in started:
            member.kill()


def wait_until(fact: Callable[[], bool], seconds: float) -> float:
    """Waits for a fact; how long it took."""
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def assert_never_two(one: Member, two: Member) -> None:
    """No moment at which both had a lease on the same partition."""
    for partition in range(PARTITIONS):
        for a, b in one.spans(partition):
            for c, d in two.spans(partition):
                assert b < c or d < a, f"{partition} held twice: {a}-{b} and {c}-{d}"


def now() -> float:
    """The clock that the members read as well."""
    return time.monotonic()


def test_who_comes_gets_a_share_and_owners_that_stay_are_not_disturbed(settings: Settings) -> None:
    """A second member takes half; the first's owners of the other half go on without a new start."""
    group = new_group()
    with members() as start:
        one = start(settings, "one", group)
        wait_until(lambda: len(one.held_since(0)) == PARTITIONS, 15)
        joined = now()
        two = start(settings, "two", group)
        took = wait_until(lambda: len(two.held_since(joined)) == PARTITIONS // 2, 15)
        rest = set(range(PARTITIONS)) - two.held_since(joined)
        settled = now()
        wait_until(lambda: one.held_since(settled) == rest, 5)
        print(f"a second member shares after {took:.2f} s, of which its start is about 0.5")
        assert all(one.starts(p) == 1 for p in range(PARTITIONS))
        time.sleep(1)
        assert one.held_since(settled) == rest
        assert_never_two(one, two)


def test_who_was_killed_and_comes_back_by_name_has_its_partitions_at_once(settings: Settings) -> None:
    """Static membership: no rebalance, no wait for a session to end."""
    group = new_group()
    with members() as start:
        one = start(settings, "one", group)
        two = start(settings, "two", group)
        wait_until(lambda: len(one.held_since(0)) >= 2 and len(two.held_since(0)) >= 2, 15)
        time.sleep(2)
        mine = one.held_since(now() - 0.5)
        starts_before = [two.starts(p) for p in range(PARTITIONS)]
        one.kill()
        again = start(settings, "one", group)
        took = wait_until(lambda: again.held_since(0) == mine, 15)
        print(f"back after {took:.2f} s, the start of a process included")
        assert took < SHORT.session_timeout_seconds / 2
        assert [two.starts(p) for p in range(PARTITIONS)] == starts_before
        assert_never_two(again, two)


def test_who_was_killed_and_stays_away_is_replaced(settings: Settings) -> None:
    """After the session has passed, and not before the dead one's lease has, others have its partitions."""
    group = new_group()
    with members() as start:
        one = start(settings, "one", group)
        two = start(settings, "two", group)
        wait_until(lambda: len(one.held_since(0)) >= 2 and len(two.held_since(0)) >= 2, 15)
        time.sleep(2)
        killed = now()
        one.kill()
        took = wait_until(lambda: len(two.held_since(killed)) == PARTITIONS, 20)
        print(f"replaced after {took:.2f} s")
        assert took < SHORT.session_timeout_seconds + 6
        assert_never_two(one, two)


def test_who_is_stopped_longer_than_its_lease_knows_it_when_it_wakes(settings: Settings) -> None:
    """The stopped member starts nothing on what others have by now, from its first instruction on; then it rejoins."""
    group = new_group()
    with members() as start:
        one = start(settings, "one", group)
        two = start(settings, "two", group)
        wait_until(lambda: len(one.held_since(0)) >= 2 and len(two.held_since(0)) >= 2, 15)
        time.sleep(2)
        stopped = now()
        one.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: len(two.held_since(stopped)) == PARTITIONS, 20)
        time.sleep(1)
        woken = now()
        one.process.send_signal(signal.SIGCONT)
        took = wait_until(lambda: len(one.held_since(woken)) == PARTITIONS // 2, 20)
        print(f"rejoined {took:.2f} s after it woke")
        time.sleep(1)
        assert_never_two(one, two)
        for partition in range(PARTITIONS):
            later = [(what, at) for what, at, p in one.said if p == partition and at >= woken]
            assert not later or later[0][0] != "held", f"{partition}: an effect could have started after the pause"
        assert all(one.starts(p) >= 2 for p in one.held_since(now() - 0.5)), "owners that slept begin anew"
