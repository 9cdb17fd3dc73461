"""`maprun doctor` as a user runs it, on a stack that is well and with set-ups that are each wrong in one way."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system.running import states
from tests.integration.system.stack import ROLE, ROOT, Stack

pytestmark = pytest.mark.integration
NOWHERE = "127.0.0.1:9"
MISSING = "arn:aws:lambda:us-east-1:123456789012:function:no-such-function"

WRONG: list[tuple[str, dict[str, str], tuple[str, ...], str, str]] = [
    ("no broker", {"MAPRUN_KAFKA": NOWHERE}, (), "kafka: brokers", "no broker of 127.0.0.1:9 can be reached"),
    (
        "a port without TLS",
        {"MAPRUN_KAFKA_SECURITY_PROTOCOL": "SSL"},
        (),
        "kafka: brokers",
        "no broker of {kafka} can be reached",
    ),
    ("no topics", {"MAPRUN_PREFIX": "nobodys."}, (), "kafka: topics", "no maprun under the prefix 'nobodys.'"),
    ("other homes", {"MAPRUN_HOMES": "7"}, (), "kafka: topics", "MAPRUN_HOMES is 7"),
    (
        "records larger than topics take",
        {"MAPRUN_RECORD_BYTES_MAX": str(20 << 20)},
        (),
        "kafka: settings of topics",
        "max.message.bytes",
    ),
    (
        "a session longer than brokers allow",
        {"MAPRUN_SESSION_TIMEOUT_SECONDS": "3600"},
        (),
        "kafka: session timeout",
        "outside of the brokers' 6 to 300 s",
    ),
    (
        "no S3",
        {"AWS_ENDPOINT_URL_S3": f"http://{NOWHERE}"},
        (),
        "s3: answers",
        "S3 at http://127.0.0.1:9 does not answer",
    ),
    ("no S3, but the API", {"AWS_ENDPOINT_URL_S3": "{api}"}, (), "s3: answers", "S3 at {api}"),
    ("no such bucket", {}, ("--bucket", "no-such-bucket"), "s3: bucket", "there is no bucket no-such-bucket"),
    (
        "no function host",
        {"AWS_ENDPOINT_URL_LAMBDA": f"http://{NOWHERE}"},
        (),
        "functions: answers",
        "nothing answers at http://127.0.0.1:9",
    ),
    ("no API, but S3", {"MAPRUN_API": "{s3}"}, (), "api: answers", "{s3}"),
]


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with no machine that names a function which isn't there."""
    stack = Stack(Path(tmp_path_factory.mktemp("doctor")))
    stack.up()
    yield stack
    stack.down()


def doctor(stack: Stack, changed: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "maprun.cli", "doctor", "--json", "--seconds", "100", *arguments],
        cwd=ROOT,
        env=stack.environ | {name: filled(value, stack) for name, value in changed.items()},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, told


def filled(text: str, stack: Stack) -> str:
    """A text with the stack's addresses in it."""
    return text.format(api=stack.api, kafka=stack.kafka, s3=stack.s3_endpoint)


def wrong_of(told: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What is wrong, by part and check."""
    return {f"{each['part']}: {each['check']}": each for each in told["findings"] if each["state"] == "wrong"}


def test_a_stack_that_is_well_is_told_so(well: Stack) -> None:
    """Every part is looked at, and nothing is wrong."""
    code, told = doctor(well, {})
    assert (code, told["well"], wrong_of(told)) == (0, True, {})
    assert {each["part"] for each in told["findings"]} == {"api", "kafka", "s3", "functions", "disk"}


@pytest.mark.parametrize(("name", "changed", "arguments", "check", "said"), WRONG, ids=[each[0] for each in WRONG])
def test_each_wrong_set_up_is_named_alone(
    well: Stack, name: str, changed: dict[str, str], arguments: tuple[str, ...], check: str, said: str
) -> None:
    """The one thing is wrong and no other, in words that name it, with what mends it; exit code 1."""
    code, told = doctor(well, changed, *arguments)
    wrong = wrong_of(told)
    assert (code, told["well"], set(wrong)) == (1, False, {check}), name
    assert filled(said, well) in wrong[check]["said"]
    assert wrong[check]["cure"]


def test_a_function_that_is_nowhere_is_named(well: Stack) -> None:
    """A machine that names one is enough: no function is called."""
    sfn = well.client("stepfunctions")
    definition = states(T={"Type": "Task", "Resource": MISSING, "End": True})
    machine = sfn.create_state_machine(name="names-it", definition=definition, roleArn=ROLE)["stateMachineArn"]
    try:
        code, told = doctor(well, {})
    finally:
        sfn.delete_state_machine(stateMachineArn=machine)
    assert (code, set(wrong_of(told))) == (1, {"functions: functions"})
    assert MISSING in wrong_of(told)["functions: functions"]["said"]
