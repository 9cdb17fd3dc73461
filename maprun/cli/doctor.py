"""`maprun doctor`: looks at Kafka, S3 and function endpoints as they are configured, and says what won't work."""

import asyncio
import os
import resource
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import click
import msgspec
from rich.text import Text

from maprun.cli import output
from maprun.cli.client import Api
from maprun.cli.errors import CliError, NotTheApi, Refused, Unreachable
from maprun.cli.options import Context, json_option
from maprun.cli.signing import ApiSigner
from maprun.local.environment import keys_beside_services
from maprun.local.layout import STATE_FREE_BYTES_MIN, state_folder
from maprun.runtime import chance, clock, limits
from maprun.runtime.checkup import Finding, Findings
from maprun.runtime.settings import Settings

SECONDS_MAX = 10
"""The whole look, unless told."""
CALL_SHARE = 0.3
"""Of it, for one call: one that hangs leaves time for the others."""
MACHINES_MAX = 100
"""State machines whose definitions are read for the functions they call."""
_PARTS = ("api", "kafka", "s3", "functions", "disk")
_STYLES = {"ok": "green", "note": "yellow", "wrong": "red", "skipped": "dim"}
_WORST = ("wrong", "note", "skipped", "ok")
_INVOKE = ":states:::lambda:invoke"
_FREE_FEW_FACTOR = 5


class Report(msgspec.Struct, rename="camel"):
    """What `--json` prints."""

    well: bool
    seconds: float
    findings: list[Finding]


@click.command()
@click.option("--bucket", default="", metavar="NAME", help="Where probe objects are written, under maprun-doctor/.")
@click.option("--seconds", type=click.IntRange(min=1), default=SECONDS_MAX, show_default=True, help="For all of it.")
@json_option
@click.pass_obj
def doctor(context: Context, *, bucket: str, seconds: int, as_json: bool) -> None:
    """Look at Kafka, S3 and functions as they are configured, in --seconds at most: what won't work, and the cure.

    Run it with the environment of a service. In S3 it writes a few small objects and deletes them: in --bucket, or, but
    for AWS's own S3, in a bucket that it makes for itself. No function is called and nothing changes in Kafka. Exit
    code 1 if something is wrong.
    """
    began = clock.monotonic_seconds()
    findings = asyncio.run(_look(context, bucket, seconds, began + seconds))
    wrong = [finding for finding in findings if finding.state == "wrong"]
    report = Report(not wrong, round(clock.monotonic_seconds() - began, 1), findings)
    if as_json:
        output.print_json(report)
    else:
        _show(context.settings, report)
    if wrong:
        things = "one thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        raise CliError(f"{things} wrong: {', '.join(f'{each.part}: {each.check}' for each in wrong)}")


async def _look(context: Context, bucket: str, seconds: int, until: float) -> list[Finding]:
    """All findings, part by part."""
    call_seconds = seconds * CALL_SHARE

    def seconds_left() -> float:
        return until - clock.monotonic_seconds() - call_seconds

    settings = context.settings
    api, functions = await asyncio.to_thread(_look_at_api, settings, call_seconds)
    looks = {
        "kafka": _kafka(settings),
        "s3": asyncio.to_thread(_s3, _aws(settings, settings.s3, call_seconds), bucket, seconds_left),
        "functions": asyncio.to_thread(
            _functions, _aws(settings, settings.functions, call_seconds), functions, seconds_left
        ),
        "disk": asyncio.to_thread(_disk, settings),
    }
    found = await asyncio.gather(*(_in_time(part, look, seconds, until) for part, look in looks.items()))
    return [*api, *(finding for each in found for finding in each)]


async def _in_time(part: str, look: Awaitable[Sequence[Finding]], seconds: int, until: float) -> Sequence[Finding]:
    """What a look finds; one that takes too long is given up."""
    try:
        found: Sequence[Finding] = await asyncio.wait_for(look, until - clock.monotonic_seconds())
    except TimeoutError:
        given_up = Findings(part)
        given_up.wrong("answers", f"no answer within {seconds} s", "look at the network between here and it; --seconds")
        return given_up.found
    return found


# ---------------------------------------------------------------------- the parts


async def _kafka(settings: Settings) -> list[Finding]:
    from maprun.bus.checkup import look_at_kafka  # noqa: PLC0415 - aiokafka, which few commands need

    return await look_at_kafka(settings, limits.limits_of(settings))


def _s3(aws: Any, bucket: str, seconds_left: Callable[[], float]) -> list[Finding]:
    from maprun.aws.checkup_s3 import look_at_s3  # noqa: PLC0415 - boto3, which few commands need
    from maprun.aws.clients import make_s3  # noqa: PLC0415

    s3 = make_s3(aws, lambda _seconds: None, chance.chance)
    once = msgspec.structs.replace(s3, retry=msgspec.structs.replace(s3.retry, attempts_max=1))
    return look_at_s3(once, bucket, chance.secret(6).hex(), clock.wall_seconds, seconds_left)


def _functions(aws: Any, functions: Sequence[str], seconds_left: Callable[[], float]) -> list[Finding]:
    from maprun.aws.checkup_functions import look_at_functions  # noqa: PLC0415 - boto3, which few commands need

    return look_at_functions(aws, functions, seconds_left)


def _aws(settings: Settings, endpoint: str, call_seconds: float) -> Any:
    """Where AWS's services are, with short patience."""
    from maprun.aws.clients import settings_of_tasks  # noqa: PLC0415 - boto3, which few commands need

    key, secret = keys_beside_services(os.environ, endpoint)
    return msgspec.structs.replace(
        settings_of_tasks(settings),
        access_key_id=key,
        secret_access_key=secret,
        connect_timeout_seconds=call_seconds / 2,
        read_timeout_seconds=call_seconds,
    )


def _look_at_api(settings: Settings, call_seconds: float) -> tuple[list[Finding], list[str]]:
    """Whether the API answers, and the functions that its machines name."""
    found = Findings("api")
    api = Api(settings.api, call_seconds, ApiSigner(settings))
    functions: set[str] = set()
    count = 0
    try:
        for machine in api.pages("ListStateMachines", "stateMachines", MACHINES_MAX):
            described = api.call("DescribeStateMachine", stateMachineArn=machine["stateMachineArn"])
            functions.update(functions_in(msgspec.json.decode(described["definition"])))
            count += 1
        found.ok("answers", f"{count} state machine{'s' * (count != 1)}")
    except NotTheApi as error:
        found.wrong("answers", error.message, "MAPRUN_API names the address of the maprun-tracker")
    except Unreachable as error:
        found.note("answers", error.message, "if it should be up: `maprun status`, and the services' logs")
    except Refused as error:
        found.wrong("answers", error.message, "look at MAPRUN_API, and at the keys that the API takes")
    finally:
        api.close()
    return found.found, sorted(functions)


def functions_in(definition: Any) -> Iterator[str]:
    """The names and ARNs of functions that a definition's Tasks call, as far as they stand in it."""
    if isinstance(definition, list):
        for each in definition:
            yield from functions_in(each)
    if not isinstance(definition, dict):
        return
    uri = definition.get("Resource")
    if isinstance(uri, str) and ":lambda:" in uri and ":function:" in uri:
        yield uri
    elif isinstance(uri, str) and _INVOKE in uri:
        given = definition.get("Parameters") or definition.get("Arguments")
        name = given.get("FunctionName") if isinstance(given, dict) else None
        if isinstance(name, str) and not name.startswith("{%"):
            yield name
    for each in definition.values():
        yield from functions_in(each)


def _disk(settings: Settings) -> list[Finding]:
    """The disk that services keep their stores on, and how many files one may open."""
    found = Findings("disk")
    folder = state_folder(settings)
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        found.wrong("state folder", f"{there} can't be written to", "MAPRUN_STATE_DIR names another folder")
    free = shutil.disk_usage(there).free
    said = f"{free >> 20:,} MiB free on the disk of {folder}"
    if free < STATE_FREE_BYTES_MIN:
        found.wrong("space", f"{said}; {STATE_FREE_BYTES_MIN >> 20:,} are needed", "free some, or set MAPRUN_STATE_DIR")
    elif free < _FREE_FEW_FACTOR * STATE_FREE_BYTES_MIN:
        found.note("space", said)
    else:
        found.ok("space", said)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.task_connections_max
    if most != resource.RLIM_INFINITY and most < wanted:
        said = f"a process may open {most:,} files, MAPRUN_TASK_CONNECTIONS is {wanted:,}"
        found.note("open files", f"{said}: more calls at once fail", "raise `ulimit -n`, or lower the setting")
    else:
        found.ok("open files", f"{most:,} at once, for {wanted:,} calls of functions")
    return found.found


# ---------------------------------------------------------------------- what is shown


def _show(settings: Settings, report: Report) -> None:
    """The set-up as a picture, then each finding, then what to do."""
    places = {
        "api": settings.api,
        "kafka": settings.kafka,
        "s3": settings.s3 or "AWS's own",
        "functions": settings.functions or "AWS's own",
        "disk": str(state_folder(settings)),
    }
    console = output.out()
    console.print("maprun", style="bold")
    width = max(map(len, places.values()))
    for part in _PARTS:
        states = [finding.state for finding in report.findings if finding.part == part]
        worst = next(state for state in _WORST if state in states)
        count = states.count(worst)
        line = Text(f"{'└' if part == _PARTS[-1] else '├'}─ {part:<10}{places[part]:<{width}}  ")
        line.append(worst if worst in {"ok", "skipped"} else f"{worst}: {count}", style=_STYLES[worst])
        console.print(line)
    console.print()
    rows = [(each.part, each.check, each.state, each.said) for each in report.findings]
    output.print_rows(("PART", "CHECK", "STATE", "WHAT WAS FOUND"), rows)
    cures = [each for each in report.findings if each.cure and each.state != "ok"]
    if cures:
        console.print()
        output.print_rows(("PART", "CHECK", "WHAT TO DO"), [(each.part, each.check, each.cure) for each in cures])
    console.print(f"\nlooked for {report.seconds} s")
