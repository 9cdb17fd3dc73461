"""`python -m tests.chaos.brokers kill rolling`: three brokers with TLS, SCRAM and least rights, in trouble in mid-run.

Each service is a user of its own, with the rights that `maprun topics plan` names and no others. None may end because
a broker does. `--copies 1` keeps one copy of each topic: then each service must say which partitions nobody leads.
"""

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from maprun.bus.least_rights import APPLY, least_rights
from maprun.runtime import settings as runtime_settings
from maprun.runtime.settings import Settings, to_environment
from tests.chaos.broker_faults import FAULTS, BrokerFault
from tests.chaos.driver import PROGRESS_SECONDS_MAX, Report, Struck, Watch, expected_status, finish, start
from tests.integration.bus.secured import give
from tests.integration.bus.secured_brokers import ADMIN, SecuredBrokers
from tests.integration.system.stack import ROOT, Stack

SERVICES = ("scheduler", "item-reader", "child-runner", "maprun-tracker")
OPERATOR = "operator"
READY_SECONDS_MAX = 90.0


class Services:
    """The four services, each as the user that is called like it, with the rights that it needs and no others."""

    def __init__(self, brokers: SecuredBrokers, stack: Stack, copies: int) -> None:
        self._brokers = brokers
        self._stack = stack
        self._base = msgspec.structs.replace(runtime_settings.load(stack.environ), replicas=copies)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def settings(self, user: str) -> Settings:
        """Of a user's process."""
        known = [*SERVICES].index(user) if user in SERVICES else len(SERVICES)
        return msgspec.structs.replace(
            self._base,
            kafka=self._brokers.addresses,
            access=self._brokers.access(user),
            instance=user,
            http_port=self._base.api_port + 1 + known,
        )

    def prepare(self) -> None:
        """Gives rights, and has the operator make the topics."""
        principals = {who: f"User:{who}" for who in SERVICES} | {APPLY: f"User:{OPERATOR}"}
        give(self.settings(ADMIN), least_rights(self._base), principals)
        self._run(OPERATOR, "maprun.cli", "topics", "apply").wait()
        assert self._run(OPERATOR, "maprun.cli", "topics", "check").wait() == 0

    def start(self) -> None:
        """Starts all and waits until they are ready."""
        for service in SERVICES:
            self._processes[service] = self._run(service, f"services.{service.replace('-', '_')}")
        self.until_ready()

    def until_ready(self) -> None:
        """Waits until all are ready."""
        for service in SERVICES:
            self.until_said(service, "")

    def until_said(self, service: str, words: str) -> str:
        """Waits until a service says what it lacks, with these words in it, or that it lacks nothing; what it says."""
        until = time.monotonic() + READY_SECONDS_MAX
        while True:
            said = self._lacks(service)
            if said is not None and (words in said if words else not said):
                return said
            assert time.monotonic() < until, f"{service} says {said!r}"
            time.sleep(0.2)

    def ended(self) -> list[str]:
        """Services that are no more."""
        return [service for service, process in self._processes.items() if process.poll() is not None]

    def close(self) -> None:
        """Ends all."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(60)

    def _run(self, user: str, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
        environment = {**self._stack.environ, **to_environment(self.settings(user))}
        environment |= {"AWS_ACCESS_KEY_ID": "maprun", "AWS_SECRET_ACCESS_KEY": "maprun-local"}
        with (self._stack.folder / f"{user}.log").open("ab") as log:
            argv = [sys.executable, "-m", module, *arguments]
            return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def _lacks(self, service: str) -> str | None:
        """What `/readyz` says; None while nobody answers there."""
        url = f"http://127.0.0.1:{self.settings(service).http_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        except OSError:
            return None
        reason: str = json.loads(text)["reason"]
        return reason


@contextlib.contextmanager
def running(folder: Path, copies: int) -> Iterator[tuple[SecuredBrokers, Stack, Services]]:
    """Three brokers, S3 beside them, and the services over both."""
    stack = Stack(folder / "stack")
    brokers = SecuredBrokers(folder, (*SERVICES, OPERATOR))
    services = Services(brokers, stack, copies)
    try:
        brokers.start()
        stack.up("seaweedfs,functions")
        services.prepare()
        services.start()
        yield brokers, stack, services
    finally:
        services.close()
        stack.down()
        brokers.close()


def trouble(
    brokers: SecuredBrokers,
    stack: Stack,
    services: Services,
    fault: BrokerFault,
    *,
    items: int,
    seed: int,
    at_once: int,
    seconds: float | None = None,
) -> Report:
    """A Map Run, brokers in trouble when a third of it is done, for a while; everything recounted."""
    report = Report(items=items, seed=seed)
    began = time.monotonic()
    watch = Watch(stack, start(stack, items, at_once, "STANDARD", f"{fault.name}-{seed}-{items}"))
    if not watch.until_reached(items // 3, PROGRESS_SECONDS_MAX):
        report.wrong.append(f"no progress for {PROGRESS_SECONDS_MAX:.0f} s before the fault")
        return report
    at, done = time.monotonic(), watch.done() or 0
    take_back = fault.begin(brokers, random.Random(seed))
    begun = time.monotonic()
    time.sleep(0.5)  # what was under way may still be counted
    resumed = watch.until_more_than(watch.done() or done, PROGRESS_SECONDS_MAX)
    if resumed is None:
        report.wrong.append(f"no progress within {PROGRESS_SECONDS_MAX:.0f} s after {fault.name}")
        return report
    lasts = fault.seconds if seconds is None else seconds
    time.sleep(max(0.0, lasts - (time.monotonic() - begun)))
    take_back()
    lasted = time.monotonic() - at
    report.struck.append(Struck(fault.name, round(at - began, 1), done, round(lasted, 1), round(resumed + 0.5, 1)))
    recount = finish(stack, watch, items, expected_status)
    report.wrong, report.lost, report.doubled = recount.wrong, recount.lost, recount.doubled
    report.wrong += [f"{service} ended" for service in services.ended()]
    report.seconds = round(time.monotonic() - began, 1)
    return report


def play(
    up: tuple[SecuredBrokers, Stack, Services], fault: BrokerFault, items: int, seed: int, seconds: float | None
) -> Report:
    """A fault's run, and where it asks for one another small run after a while of quiet."""
    report = trouble(*up, fault, items=items, seed=seed, at_once=max(10, items // 40), seconds=seconds)
    if fault.quiet_seconds and not report.wrong:
        time.sleep(fault.quiet_seconds)
        fewer = items // 10
        again = trouble(*up, fault, items=fewer, seed=seed, at_once=max(10, fewer // 10), seconds=seconds)
        report.wrong += [f"the run after the quiet: {line}" for line in again.wrong]
        report.lost, report.doubled = report.lost + again.lost, report.doubled + again.doubled
    return report


def leave_leaderless(brokers: SecuredBrokers, services: Services) -> dict[str, str]:
    """What each service says while a broker is away that alone has some partitions; all are ready again afterwards."""
    brokers.brokers[-1].kill()
    said = {service: services.until_said(service, "lead") for service in SERVICES}
    brokers.brokers[-1].start()
    services.until_ready()
    assert services.ended() == []
    return said


@click.command()
@click.argument("faults", nargs=-1, type=click.Choice(sorted(FAULTS)))
@click.option("--items", default=20_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--seconds", type=float, help="How long each fault lasts, instead of its own time.")
@click.option("--copies", default=3, show_default=True, help="Of each topic; 1 asks services what they say instead.")
def main(faults: tuple[str, ...], items: int, seed: int, seconds: float | None, copies: int) -> None:
    """Run, trouble brokers, recount; without names all faults, one after the other. Exit code 1: wrong."""
    wrong = False
    with tempfile.TemporaryDirectory(prefix="maprun-brokers-") as name, running(Path(name), copies) as up:
        if copies == 1:
            for service, said in leave_leaderless(up[0], up[2]).items():
                print(f"{service:15} {said}")
            return
        print("| fault | lasted | progress again after | the run took | lost | doubled |\n| --- |" + " ---: |" * 5)
        for fault in (FAULTS[each] for each in faults or FAULTS):
            report = play(up, fault, items, seed, seconds)
            [struck] = report.struck or [Struck(fault.name, 0, 0, 0, 0)]
            figures = f"{struck.lasted_seconds} s | {struck.resumed_seconds} s | {report.seconds:.0f} s"
            outcome = f"{report.lost} | {report.doubled}" if not report.wrong else f"**{'; '.join(report.wrong)}** |"
            print(f"| {fault.told} | {figures} | {outcome} |", flush=True)
            wrong = wrong or bool(report.wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
