"""`python -m tests.bench.dashboard`: the dashboard of ops/watching as a picture, from a stack that works for a while.

A Prometheus with the rules of ops/watching reads the stack's processes; every panel's queries are put to it, and drawn.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml

from tests.bench import panels, processes
from tests.bench.workloads import PASS, Runner, csv_machine, input_machine, put_rows
from tests.integration.system.stack import ROOT, Stack

WATCHING = ROOT / "ops" / "watching"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:judge"
HANDLER = """
def handler(event, context):
    if int(event["id"]) % 50 == 0:
        raise ValueError("a fiftieth fails")
    return {"id": event["id"], "cents": round(float(event["amount"]) * 100)}
"""
CALL = {
    "StartAt": "Call",
    "States": {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": FUNCTION, "Payload.$": "$"},
            "End": True,
        }
    },
}
FAILING = json.dumps({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "No", "Cause": "as it is meant"}}})
SCRAPE_SECONDS, POLL_SECONDS, STEP_SECONDS = 2, 0.5, 2
Json = dict[str, Any]


class Prometheus:
    """One that reads a stack's processes by the rules of ops/watching."""

    def __init__(self, program: str, folder: Path, stack: Stack) -> None:
        api = int(stack.api.rpartition(":")[2])
        self.port = api + 18
        config = yaml.safe_load((WATCHING / "prometheus.yml").read_text())
        config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{SCRAPE_SECONDS}s")
        config["rule_files"] = [str(WATCHING / "rules.yml")]
        for each in config["scrape_configs"][0]["static_configs"]:
            each["targets"] = [f"127.0.0.1:{int(target.rpartition(':')[2]) - 8083 + api}" for target in each["targets"]]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/prometheus",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=error",
            ]
        )

    def series(self, target: Json, since: float, until: float) -> list[panels.Series]:
        """What a panel's query answers over the whole time, each line with its legend."""
        asked = {"query": target["expr"], "start": since, "end": until, "step": STEP_SECONDS}
        url = f"http://127.0.0.1:{self.port}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = json.load(answer)["data"]["result"]
        return [
            panels.Series(
                panels.legend(target["legendFormat"], each["metric"]),
                [(float(at), float(value)) for at, value in each["values"]],
            )
            for each in found
        ]

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(20)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Children of the run that makes no calls.")
@click.option("--calls", default=150_000, show_default=True, help="Children of the run that calls a function.")
@click.option("--program", default="prometheus", show_default=True)
@click.option("--write", default="docs/benchmarks/dashboard.svg", show_default=True)
def main(rows: int, calls: int, program: str, write: str) -> None:
    """Draw the dashboard from a run on this machine."""
    found = shutil.which(program)
    if found is None:
        sys.exit("prometheus is not here: `apt-get install prometheus`")
    with tempfile.TemporaryDirectory(prefix="maprun-dashboard-") as name:
        folder = Path(name)
        functions = folder / "functions"
        functions.mkdir()
        (functions / "judge.py").write_text(HANDLER)
        stack = Stack(folder / "stack", MAPRUN_FUNCTIONS_DIR=str(functions))
        stack.up()
        prometheus = Prometheus(found, folder, stack)
        try:
            began = time.time()
            work(stack, rows, calls)
            until = time.time()
            board = json.loads((WATCHING / "grafana" / "maprun.json").read_text())
            drawn = [
                (
                    panel,
                    [line for target in panel.get("targets", ()) for line in prometheus.series(target, began, until)],
                )
                for panel in board["panels"]
            ]
        finally:
            prometheus.close()
            stack.down()
    title = f"{board['title']}: {rows:,} children, {calls:,} calls of a function, {processes.machine()}"
    (ROOT / write).write_text(panels.page(drawn, title))


def work(stack: Stack, rows: int, calls: int) -> None:
    """A big run, one whose functions fail at times, executions that fail; a child-runner is killed in between."""
    runner = Runner(stack)
    for count in {rows, calls}:
        put_rows(stack, count)
    wait(runner, runner.start("copy", csv_machine(rows, PASS)))
    killed = runner.start("judge", csv_machine(calls, CALL, concurrency=1_000, tolerated_percentage=5))
    pause(runner, 8)
    stack.kill("child-runner-0")
    wait(runner, killed)
    for number in range(30):
        runner.start("failing", FAILING)
        runner.start("small", input_machine(PASS), {"items": list(range(number + 1))})
        pause(runner, POLL_SECONDS)
    with suppress(runner.sfn.exceptions.ExecutionDoesNotExist):
        runner.sfn.describe_execution(executionArn="arn:aws:states:us-east-1:123456789012:execution:no:such")
    pause(runner, 20)


def wait(runner: Runner, arn: str) -> None:
    """Follows an execution to its end as a client does."""
    while runner.sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
        runner.map_run(arn)
        time.sleep(POLL_SECONDS)


def pause(runner: Runner, seconds: float) -> None:
    """Waits, and looks at what there is meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        runner.sfn.list_state_machines()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
