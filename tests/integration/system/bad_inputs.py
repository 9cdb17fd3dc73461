"""Sends every bad input of the table through every door of a stack; `python -m tests.integration.system.bad_inputs`.

After each one a good request goes through the same door, and it must succeed.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.system import cases, doors
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
GOOD = '{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}'
_ENDS_SECONDS_MAX = 60.0


class Finding(msgspec.Struct, frozen=True):
    """One input through one door: what it should have got, what it got."""

    door: str
    title: str
    expected: str
    got: str
    message: str

    @property
    def right(self) -> bool:
        """True if the error is the one of the table."""
        return self.got == self.expected


class Sender:
    """Sends the tables through the doors of one stack."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.sfn = stack.client("stepfunctions")
        self.topic = doors.Topic(stack)
        self.good: list[str] = []
        self._machines: dict[str, str] = {}
        self._number = 0

    def prepare(self) -> None:
        """The good machine, an execution whose name is taken, the objects, a machine for each bad run."""
        self.sfn.create_state_machine(name="good", definition=GOOD, roleArn=ROLE)
        self.sfn.start_execution(stateMachineArn=cases.MACHINE, name="taken", input="{}")
        s3 = self.stack.client("s3")
        s3.create_bucket(Bucket=cases.BUCKET)
        for key, body in cases.OBJECTS.items():
            s3.put_object(Bucket=cases.BUCKET, Key=key, Body=body)
        for number, run in enumerate(cases.BAD_RUNS):
            made = self.sfn.create_state_machine(name=f"run-{number}", definition=run.definition, roleArn=ROLE)
            self._machines[run.title] = made["stateMachineArn"]

    def _name(self, door: str) -> str:
        self._number += 1
        return f"{door}-{self._number}"

    def _arn(self, machine: str, name: str) -> str:
        return f"{cases.ARN}:execution:{machine.rpartition(':')[2]}:{name}"

    # ------------------------------------------------------------------ API

    def through_api(self) -> Iterator[Finding]:
        """Bad starts, bad bodies, bad definitions, bad members of other operations."""
        for case in cases.BAD_STARTS:
            if "api" not in case.not_by:
                yield self._api(case.title, "StartExecution", json.dumps(case.members).encode(), case.error)
        for body in cases.BAD_BODIES:
            yield self._api(f"body: {body.title}", "StartExecution", body.value or b"", body.error)
        for bad in cases.BAD_DEFINITIONS:
            members = {"name": "bad", "definition": bad.definition, "roleArn": ROLE}
            yield self._api(f"definition: {bad.title}", "CreateStateMachine", json.dumps(members).encode(), bad.error)
        for title, operation, members, error in _OTHER_CALLS:
            yield self._api(title, operation, json.dumps(members).encode(), error)

    def _api(self, title: str, operation: str, body: bytes, expected: str) -> Finding:
        got, message = doors.api_answer(self.stack, operation, body)
        name = self._name("api")
        members = {"stateMachineArn": cases.MACHINE, "name": name, "input": "{}"}
        error, why = doors.api_answer(self.stack, "StartExecution", json.dumps(members).encode())
        assert not error, f"the good request after '{title}' was refused: {error}: {why}"
        self.good.append(self._arn(cases.MACHINE, name))
        return Finding("API", title, expected, got, message)

    # ------------------------------------------------------------------ command line

    def through_cli(self) -> Iterator[Finding]:
        """Bad starts, bad definitions, bad arguments."""
        for case in cases.BAD_STARTS:
            if "cli" not in case.not_by:
                got, message = doors.cli_start(self.stack, case.members, self.folder)
                yield self._after_cli(Finding("CLI", case.title, case.error, got, message))
        for number, bad in enumerate(cases.BAD_DEFINITIONS):
            file = self.folder / f"definition-{number}.json"
            file.write_text(bad.definition, encoding="utf-8")
            got, message = doors.cli_answer(doors.cli(self.stack, "deploy", str(file), "--name", "bad"))
            yield self._after_cli(Finding("CLI", f"deploy: {bad.title}", bad.cli or bad.error, got, message))
        (self.folder / "latin.json").write_bytes(b"\xff\xfe{}")
        for arguments, expected in (
            (("deploy", "/no/such/file.json"), "usage"),
            (("deploy", str(self.folder / "latin.json")), "usage"),
            (("deploy", str(self.folder)), "usage"),
            (("deploy", str(self.folder / "definition-3.json"), "--name", "a b"), "InvalidName"),
            (("start", "good", "--input", "@/no/such/file"), "usage"),
            (("describe", "nonsense"), "usage"),
            (("describe", f"{cases.ARN}:execution:good:nobody"), "ExecutionDoesNotExist"),
            (("describe", f"{cases.ARN}:mapRun:good/x:nobody"), "ResourceNotFound"),
            (("history", f"{cases.ARN}:execution:good:nobody"), "ExecutionDoesNotExist"),
            (("stop", f"{cases.ARN}:execution:good:nobody"), "ExecutionDoesNotExist"),
            (("list", "executions"), "usage"),
            (("list", "executions", "--machine", "nobody"), "StateMachineDoesNotExist"),
            (("dance",), "usage"),
        ):
            got, message = doors.cli_answer(doors.cli(self.stack, *arguments))
            yield self._after_cli(Finding("CLI", " ".join(arguments)[:60], expected, got, message))

    def _after_cli(self, finding: Finding) -> Finding:
        name = self._name("cli")
        result = doors.cli(self.stack, "start", "good", "--name", name)
        assert result.exit_code == 0, f"the good request after '{finding.title}': {result.output}"
        self.good.append(self._arn(cases.MACHINE, name))
        return finding

    # ------------------------------------------------------------------ topic

    def through_topic(self) -> Iterator[Finding]:
        """Bad records and bad starts, each with a good record behind it on its partition."""
        bad: list[tuple[str, bytes | None, str]] = [(c.title, c.value, c.error) for c in cases.BAD_RECORDS]
        bad += [(c.title, json.dumps(c.members).encode(), c.error) for c in cases.BAD_STARTS if "topic" not in c.not_by]
        values: list[bytes | None] = []
        for _, value, _ in bad:
            name = self._name("topic")
            self.good.append(self._arn(cases.MACHINE, name))
            values += [value, json.dumps({"stateMachineArn": cases.MACHINE, "name": name, "input": {}}).encode()]
        places = self.topic.send(values)
        rejected = self.topic.rejections(places[::2])
        for (title, _, error), place in zip(bad, places[::2], strict=True):
            answer = rejected.get(place, {"error": "nothing", "message": "no rejection came"})
            yield Finding("topic", title, error, answer["error"], answer["message"])

    # ------------------------------------------------------------------ runs

    def runs(self) -> Iterator[Finding]:
        """Good starts through each door in turn, of machines that then fail for a bad source or bad items."""
        started: list[tuple[str, cases.BadRun, str]] = []
        records: list[bytes | None] = []
        for run in cases.BAD_RUNS:
            machine = self._machines[run.title]
            for door in ("topic", "API", "CLI"):
                name = self._name("run")
                started.append((door, run, self._arn(machine, name)))
                members = {"stateMachineArn": machine, "name": name, "input": run.input}
                if door == "topic":
                    records.append(json.dumps(members).encode())
                elif door == "API":
                    answer = doors.api_answer(self.stack, "StartExecution", json.dumps(members).encode())
                    assert answer == ("", ""), answer
                else:
                    assert doors.cli_start(self.stack, members, self.folder) == ("", "")
        self.topic.send(records)
        for door, run, arn in started:
            found = self.ended(arn)
            got = str(found.get("error", found["status"]))
            yield Finding(door, run.title, run.error, got, str(found.get("cause", "")))

    def changed_while_read(self) -> Iterator[Finding]:
        """A source that is replaced while its Map Run reads it: the run must fail, never mix two versions.

        A run from each door; the reader is killed, so that nobody holds the old version open.
        """
        s3 = self.stack.client("s3")
        rows = "".join(f'{{"n": {n}, "text": "{"x" * 200}"}}\n' for n in range(60_000))
        s3.put_object(Bucket=cases.BUCKET, Key="changing.jsonl", Body=rows.encode())
        made = self.sfn.create_state_machine(name="changing", definition=cases.CHANGING, roleArn=ROLE)
        members = [
            {"stateMachineArn": made["stateMachineArn"], "name": f"by-{door}"} for door in ("topic", "API", "CLI")
        ]
        self.topic.send([json.dumps(members[0]).encode()])
        assert doors.api_answer(self.stack, "StartExecution", json.dumps(members[1]).encode()) == ("", "")
        assert doors.cli_start(self.stack, members[2], self.folder) == ("", "")
        arns = [self._arn(made["stateMachineArn"], member["name"]) for member in members]
        for arn in arns:
            self._until_items_end(arn)
        s3.put_object(Bucket=cases.BUCKET, Key="changing.jsonl", Body=rows.replace("x", "y").encode())
        self.stack.kill("item-reader")
        for door, arn in zip(("topic", "API", "CLI"), arns, strict=True):
            found = self.ended(arn)
            got, cause = str(found.get("error", found["status"])), str(found.get("cause", ""))
            yield Finding(door, "an object changed while it is read", "States.ItemReaderFailed", got, cause)

    def _until_items_end(self, arn: str) -> None:
        """Returns when the first children of an execution's Map Run have ended."""
        deadline = time.monotonic() + _ENDS_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                runs = self.sfn.list_map_runs(executionArn=arn)["mapRuns"]
                if runs and self.sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]["succeeded"]:
                    return
            except self.sfn.exceptions.ExecutionDoesNotExist:
                pass
            time.sleep(0.1)
        raise AssertionError(f"no child of {arn} ended within {_ENDS_SECONDS_MAX:.0f} s")

    def ended(self, arn: str) -> Json:
        """DescribeExecution once it has ended."""
        deadline = time.monotonic() + _ENDS_SECONDS_MAX
        while True:
            try:
                described: Json = self.sfn.describe_execution(executionArn=arn)
                if described["status"] != "RUNNING" or time.monotonic() > deadline:
                    return described
            except self.sfn.exceptions.ExecutionDoesNotExist:
                if time.monotonic() > deadline:  # a record of the topic may still be on its way
                    raise
            time.sleep(0.1)

    def good_ones(self) -> list[str]:
        """What became of the good requests in between, if it isn't SUCCEEDED."""
        return [f"{arn}: {found['status']}" for arn in self.good if (found := self.ended(arn))["status"] != "SUCCEEDED"]


_OTHER_CALLS: tuple[tuple[str, str, Json, str], ...] = (
    ("operation that does not exist", "Dance", {}, "UnknownOperationException"),
    ("no name for a machine", "CreateStateMachine", {"definition": GOOD, "roleArn": ROLE}, "ValidationException"),
    (
        "machine's name with a space",
        "CreateStateMachine",
        {"name": "a b", "definition": GOOD, "roleArn": ROLE},
        "InvalidName",
    ),
    ("no role", "CreateStateMachine", {"name": "x", "definition": GOOD}, "ValidationException"),
    (
        "unknown machine type",
        "CreateStateMachine",
        {"name": "x", "definition": GOOD, "roleArn": ROLE, "type": "FAST"},
        "ValidationException",
    ),
    (
        "machine there with another definition",
        "CreateStateMachine",
        {"name": "good", "definition": GOOD.replace('"P"', '"Q"'), "roleArn": ROLE},
        "StateMachineAlreadyExists",
    ),
    ("update of nothing", "UpdateStateMachine", {"stateMachineArn": cases.MACHINE}, "MissingRequiredParameter"),
    (
        "describe an unknown execution",
        "DescribeExecution",
        {"executionArn": f"{cases.ARN}:execution:good:nobody"},
        "ExecutionDoesNotExist",
    ),
    ("describe a machine as an execution", "DescribeExecution", {"executionArn": cases.MACHINE}, "InvalidArn"),
    (
        "stop an unknown execution",
        "StopExecution",
        {"executionArn": f"{cases.ARN}:execution:good:nobody"},
        "ExecutionDoesNotExist",
    ),
    ("unknown Map Run", "DescribeMapRun", {"mapRunArn": f"{cases.ARN}:mapRun:good/x:nobody"}, "ResourceNotFound"),
    (
        "history of an unknown execution",
        "GetExecutionHistory",
        {"executionArn": f"{cases.ARN}:execution:good:nobody"},
        "ExecutionDoesNotExist",
    ),
    ("page of 1,001", "ListStateMachines", {"maxResults": 1001}, "ValidationException"),
    ("page of -1", "ListStateMachines", {"maxResults": -1}, "ValidationException"),
    ("page of text", "ListStateMachines", {"maxResults": "ten"}, "SerializationException"),
    ("token that nobody gave", "ListStateMachines", {"nextToken": "nonsense"}, "InvalidToken"),
    (
        "unknown status",
        "ListExecutions",
        {"stateMachineArn": cases.MACHINE, "statusFilter": "SLEEPING"},
        "ValidationException",
    ),
    ("neither machine nor Map Run", "ListExecutions", {}, "ValidationException"),
    (
        "executions of an unknown machine",
        "ListExecutions",
        {"stateMachineArn": f"{cases.ARN}:stateMachine:nobody"},
        "StateMachineDoesNotExist",
    ),
)


def findings(sender: Sender) -> Iterator[Finding]:
    """Everything, through every door."""
    yield from sender.through_topic()
    yield from sender.through_api()
    yield from sender.through_cli()
    yield from sender.runs()
    yield from sender.changed_while_read()


def main() -> int:
    """Brings a stack up, sends everything, prints door, input and error; 1 if anything is not as the table says."""
    with tempfile.TemporaryDirectory(prefix="maprun-bad-") as folder:
        stack = Stack(Path(folder) / "state")
        print(f"up in {stack.up():.1f} s", file=sys.stderr)
        try:
            sender = Sender(stack, Path(folder))
            sender.prepare()
            wrong = 0
            for found in findings(sender):
                mark = " " if found.right else "!"
                wrong += not found.right
                tail = "" if found.right else f"  (expected {found.expected})"
                print(
                    f"{mark} {found.door:5} | {found.title:40.40} | {found.got}: {found.message[:120]!r}{tail}",
                    flush=True,
                )
            lost = sender.good_ones()
            print(f"{wrong} wrong; {len(sender.good)} good requests in between, {len(lost)} of them did not succeed")
            print("\n".join(lost[:20]))
        finally:
            stack.down()
    return 1 if wrong or lost else 0


if __name__ == "__main__":
    sys.exit(main())
