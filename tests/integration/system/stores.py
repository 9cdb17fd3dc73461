"""Runs over stores that lose answers and differ from AWS; `python -m tests.integration.system.stores`.

Each run has a bucket that a proxy before SeaweedFS makes odd in one way. It must end with every index once in its
results, or alone fail in words that name its bucket; a run on a plain bucket beside it must succeed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from maprun.local.environment import DUMMY_KEYS
from tests.integration.aws.quirky_proxy import Quirk, QuirkyProxy
from tests.integration.aws.weed import running_weed
from tests.integration.system.running import PASS, Json, ended, map_definition
from tests.integration.system.stack import REGION, ROLE, Stack

PARTS = "kafka,functions,topics,scheduler,item-reader,child-runner,maprun-tracker"
PLAIN = "plain"
ROWS, ROWS_LARGE, PAD_LARGE = 200, 6_000, 2_000  # the large ones make result files of four parts
AT_ONCE = 4
SECONDS_MAX = 150.0
NAMED = ("States.ResultWriterFailed", "States.ItemReaderFailed")

WRITING = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject")
LOST = [*((each, 1) for each in WRITING), ("HeadObject", 1), ("HeadObject", 2), ("GetObject", 1), ("GetObject", 2)]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what is odd about its bucket, where its items come from, how it may end."""

    name: str
    quirk: Quirk
    source: str = "own"  # own: a CSV in the odd bucket | listing: LOAD_AND_FLATTEN of it | plain: a CSV elsewhere
    large: bool = False
    kill: bool = False  # the scheduler, when the answer is lost
    may_fail: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    scenario: Scenario
    status: str
    words: str
    seconds: float
    calls: int

    @property
    def right(self) -> bool:
        """Every index once, or failed in words where that is all there is."""
        return self.status == "right" or (self.status == "failed in words" and self.scenario.may_fail)


def _lost(operation: str, number: int = 1, **more: Any) -> Quirk:
    return Quirk(lost=((operation, number),), **more)


def few() -> list[Scenario]:
    """One of each kind, for every push."""
    return [
        *(Scenario(name=f"lost {op} {n}", quirk=_lost(op, n)) for op, n in LOST),
        Scenario(name="no etags", quirk=Quirk(etags="none"), may_fail=True),
        Scenario(name="no etags, lost complete", quirk=_lost("CompleteMultipartUpload", etags="none"), source="plain"),
        Scenario(
            name="random etags, lost complete, 403 again, many parts",
            quirk=_lost("CompleteMultipartUpload", etags="random", again=403),
            large=True,
        ),
        Scenario(name="random etags, lost manifest", quirk=_lost("PutObject", etags="random"), source="listing"),
        Scenario(
            name="no conditions, 500 again, killed at complete",
            quirk=_lost("CompleteMultipartUpload", again=500, conditional=False),
            kill=True,
        ),
    ]


def matrix() -> Iterator[Scenario]:
    """Every kind of ETag, with and without conditions, with each answer lost once, with kills, with many parts."""
    for etags in ("", "none", "random"):
        for conditional in (True, False):
            odd: Json = {"etags": etags, "conditional": conditional}
            told = f"etags {etags or 'md5'}, conditions {'heeded' if conditional else 'ignored'}"
            source = "plain" if etags == "none" else "own"
            yield Scenario(name=f"{told}, CSV and results", quirk=Quirk(**odd), may_fail=etags == "none")
            yield Scenario(name=f"{told}, flattened", quirk=Quirk(**odd), source="listing", may_fail=etags == "none")
            for op, n in LOST:
                yield Scenario(name=f"{told}, lost {op} {n}", quirk=_lost(op, n, **odd), source=source)
            for again in (403, 404, 500):
                quirk = _lost("CompleteMultipartUpload", again=again, **odd)
                yield Scenario(name=f"{told}, lost complete, {again} again", quirk=quirk, source=source)
                yield Scenario(
                    name=f"{told}, lost complete, {again} again, many parts", quirk=quirk, source=source, large=True
                )
            for op in WRITING[1:]:
                yield Scenario(
                    name=f"{told}, killed at {op}", quirk=_lost(op, again=403, **odd), source=source, kill=True
                )


def as_it_is() -> list[Scenario]:
    """For another server, whose own oddities are enough: nothing that comes or goes is altered, answers get lost."""
    lost = [Scenario(name=f"lost {op}", quirk=_lost(op)) for op in WRITING[1:]]
    killed = [Scenario(name=f"killed at {op}", quirk=_lost(op), kill=True) for op in WRITING[1:]]
    return [
        Scenario(name="CSV and results", quirk=Quirk()),
        Scenario(name="flattened", quirk=Quirk(), source="listing"),
        Scenario(name="many parts", quirk=Quirk(), large=True),
        *lost,
        *killed,
    ]


class Trial:
    """A stack before which the proxy stands."""

    def __init__(self, stack: Stack, proxy: QuirkyProxy, weed: str) -> None:
        self.stack = stack
        self.proxy = proxy
        # While a killed scheduler starts again, what it should have answered is asked for again.
        self.sfn = _client("stepfunctions", stack.api)
        self.s3 = _client("s3", weed)
        self._number = 0
        self._bucket(PLAIN, large=False)
        self._bucket(f"{PLAIN}-large", large=True)
        self.plain = self._machine(PLAIN, Scenario(name=PLAIN, quirk=Quirk()))

    def judge(self, scenarios: Sequence[Scenario]) -> list[Outcome]:
        """Runs them side by side, and a plain run beside each few of them."""
        outcomes: list[Outcome] = []
        for some in (scenarios[at : at + AT_ONCE] for at in range(0, len(scenarios), AT_ONCE)):
            begun = [self._begin(scenario) for scenario in some]
            plain = self.sfn.start_execution(stateMachineArn=self.plain, input="{}")["executionArn"]
            outcomes += [self._end(*each) for each in begun]
            beside = self._ended(PLAIN, plain, ROWS)
            assert beside == ("right", ""), f"the plain run beside {[s.name for s in some]}: {beside}"
        return outcomes

    def _begin(self, scenario: Scenario) -> tuple[Scenario, str, str, float]:
        self._number += 1
        bucket = f"odd-{self._number}"
        self._bucket(bucket, large=scenario.large)
        quirk = scenario.quirk
        if scenario.kill:
            quirk = msgspec.structs.replace(quirk, on_lost=lambda: self.stack.kill("scheduler"))
        machine = self._machine(bucket, scenario)
        self.proxy.odd(bucket, quirk)
        arn = self.sfn.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
        return scenario, bucket, arn, time.monotonic()

    def _end(self, scenario: Scenario, bucket: str, arn: str, began: float) -> Outcome:
        status, words = self._ended(bucket, arn, ROWS_LARGE if scenario.large else ROWS)
        calls = sum(self.proxy.buckets[bucket].calls.values())
        missed = [each for each in scenario.quirk.lost if self.proxy.buckets[bucket].calls[each[0]] < each[1]]
        if missed:
            words = f"{words} ({missed[0][0]} {missed[0][1]} was never called)"
        return Outcome(scenario, status, words, time.monotonic() - began, calls)

    def _bucket(self, name: str, *, large: bool) -> None:
        self.s3.create_bucket(Bucket=name)
        pad = "x" * (PAD_LARGE if large else 10)
        rows = "".join(f"{n},{pad}\n" for n in range(ROWS_LARGE if large else ROWS))
        self.s3.put_object(Bucket=name, Key="in/rows.csv", Body=f"n,pad\n{rows}".encode())

    def _machine(self, bucket: str, scenario: Scenario) -> str:
        csv = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
        source = f"{PLAIN}-large" if scenario.large else PLAIN
        reader: Json = {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": csv,
            "Parameters": {"Bucket": source if scenario.source == "plain" else bucket, "Key": "in/rows.csv"},
        }
        if scenario.source == "listing":
            reader["Resource"] = "arn:aws:states:::s3:listObjectsV2"
            reader["ReaderConfig"] = {**csv, "Transformation": "LOAD_AND_FLATTEN"}
            reader["Parameters"] = {"Bucket": bucket, "Prefix": "in/"}
        writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"}}
        definition = map_definition(PASS, child_type="EXPRESS", ItemReader=reader, ResultWriter=writer)
        made = self.sfn.create_state_machine(name=f"m-{bucket}", definition=definition, roleArn=ROLE)
        arn: str = made["stateMachineArn"]
        return arn

    def _ended(self, bucket: str, arn: str, rows: int) -> tuple[str, str]:
        """How a run ended, judged by what is in the store."""
        described = ended(self.sfn, arn, SECONDS_MAX)
        if described["status"] != "SUCCEEDED":
            error, cause = described.get("error"), described.get("cause") or ""
            named = error in NAMED and f"s3://{bucket}" in cause
            return "failed in words" if named else "failed badly", f"{error}: {cause}"
        details = json.loads(described["output"])["ResultWriterDetails"]
        manifest = json.loads(self.s3.get_object(Bucket=bucket, Key=details["Key"])["Body"].read())
        found: Counter[int] = Counter()
        for file in manifest["ResultFiles"]["SUCCEEDED"]:
            body = self.s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read()
            if len(body) != file["Size"]:
                return "wrong", f"{file['Key']} has {len(body)} bytes, not {file['Size']}"
            found.update(int(json.loads(entry["Output"])["n"]) for entry in json.loads(body))
        if found != Counter(range(rows)):
            return "wrong", f"{len(found)} of {rows} indexes, {sum(found.values())} entries"
        return "right", ""


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=DUMMY_KEYS["AWS_ACCESS_KEY_ID"],  # for servers that look at keys
        aws_secret_access_key=DUMMY_KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"mode": "standard", "total_max_attempts": 12}),
    )


@contextmanager
def trial(folder: Path, server: str = "") -> Iterator[Trial]:
    """A stack, the proxy, and behind it SeaweedFS or another server that runs already."""
    data = folder / "weed" / "data"
    data.mkdir(parents=True)
    with running_weed(data) if not server else nullcontext(server) as target:
        proxy = QuirkyProxy(target)
        stack = Stack(folder / "stack", AWS_ENDPOINT_URL_S3=proxy.endpoint)
        stack.up(PARTS)
        try:
            yield Trial(stack, proxy, target)
        finally:
            stack.down()
            proxy.close()


def shown(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The table's lines."""
    yield f"{'store':<75} {'outcome':<16} {'s':>6} {'calls':>5}  words"
    for outcome in outcomes:
        source = outcome.scenario.source
        name = outcome.scenario.name if source == "own" else f"{outcome.scenario.name}, source {source}"
        mark = "" if outcome.right else "  <-- WRONG"
        yield f"{name:<75} {outcome.status:<16} {outcome.seconds:>6.1f} {outcome.calls:>5}  {outcome.words[:160]}{mark}"


def main() -> int:
    """The whole matrix; 0 when all is right."""
    wanted = argparse.ArgumentParser(description=main.__doc__)
    wanted.add_argument("--few", action="store_true", help="one of each kind, as every push has it")
    wanted.add_argument("--server", default="", help="endpoint of another S3 in SeaweedFS's place, played as it is")
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder, trial(Path(folder), given.server) as made:
        wanted_ones = as_it_is() if given.server else list(matrix())
        outcomes = made.judge(few() if given.few else wanted_ones)
    sys.stdout.write("\n".join(shown(outcomes)) + "\n")
    wrong = [outcome for outcome in outcomes if not outcome.right]
    sys.stdout.write(f"{len(outcomes)} runs, {len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
