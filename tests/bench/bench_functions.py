"""What a call of a Python function costs, in microseconds of CPU, by part: the caller, the host's front, its workers.

Run: python -m tests.bench.bench_functions [calls] [concurrency] [rows a call]
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import uvloop

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskRequested, TaskSucceeded
from tests.bench import processes

PORT = 28_911
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:classify"
HANDLER = """
def classify(row):
    amount, rating = float(row["amount"]), int(row["rating"])
    kind = "good" if rating >= 4 else "fair" if rating == 3 else "poor"
    return {"id": row["id"], "class": kind, "amount_cents": round(amount * 100)}

def handler(event, context):
    return [classify(row) for row in event["Items"]] if "Items" in event else classify(event)
"""
ROW = b'{"id":"item-%08d","name":"customer name %012d","rating":"%d","amount":"512.25"}'
ROUNDS = 5


def request(number: int, rows: int) -> TaskRequested:
    """The Task of one row, or of a batch as ItemBatcher makes it."""
    row = ROW % (number, number, number % 5 + 1)
    event = row if rows == 1 else b'{"Items":[%s]}' % b",".join([row] * rows)
    return TaskRequested(f"r{number}", FUNCTION, event)


async def calls_made(runner: TaskRunner, count: int, concurrency: int, rows: int) -> None:
    """Makes so many calls, so many at once."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            outcome = await runner.run_task(request(number, rows), f"key-{number}")
            assert isinstance(outcome, TaskSucceeded), outcome

    await asyncio.gather(*(caller() for _ in range(concurrency)))


async def measure(host: int, count: int, concurrency: int, rows: int) -> None:
    """Prints a line a round."""
    settings = AwsSettings(region="us-east-1", lambda_endpoint=f"http://127.0.0.1:{PORT}", lambda_connections_max=5_000)
    runner = TaskRunner(settings, time.time, time.monotonic)
    await calls_made(runner, 2 * concurrency, concurrency, rows)
    for _ in range(ROUNDS):
        wall, own, front, whole = time.perf_counter(), time.process_time(), _front(host), _whole(host)
        await calls_made(runner, count, concurrency, rows)
        wall, own, front, whole = (
            time.perf_counter() - wall,
            time.process_time() - own,
            _front(host) - front,
            _whole(host) - whole,
        )
        parts = {"caller": own, "front": front, "workers": whole - front, "all": own + whole}
        shown = "  ".join(f"{name} {seconds / count * 1e6:6.1f}" for name, seconds in parts.items())
        print(
            f"{concurrency:6,} at once, {rows} rows each  {count / wall:8,.0f} calls/s  us of CPU a call: {shown}",
            flush=True,
        )
    await runner.close()


def _front(host: int) -> float:
    fields = Path(f"/proc/{host}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in (11, 12)) / os.sysconf("SC_CLK_TCK")


def _whole(host: int) -> float:
    return processes.cpu_seconds({"host": host})["host"]


def main(count: int, concurrency: int, rows: int) -> None:
    """Starts the host, measures, stops it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "classify.py").write_text(HANDLER, encoding="utf-8")
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{PORT}",
            "MAPRUN_FUNCTIONS_DIR": folder,
            "MAPRUN_STATE_DIR": folder,
        }
        host = subprocess.Popen([sys.executable, "-m", "maprun.local.functions"], env=environment)
        try:
            for _ in range(200):
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
                    break
                time.sleep(0.05)
            uvloop.run(measure(host.pid, count, concurrency, rows))
        finally:
            host.terminate()
            host.wait()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [20_000, 500, 1][len(numbers) :]))
