"""Answers of the API about one execution and its Map Run."""

from tests.unit.cli.fake_api import Json

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:demo:one"
RUN = "arn:aws:states:us-east-1:123456789012:mapRun:demo/Label:7f2c1d3e-0000-4000-8000-000000000000"


def counts(**given: int) -> Json:
    """AWS's ten counts, zero unless given."""
    names = (
        "pending running succeeded failed timedOut aborted total resultsWritten failuresNotRedrivable pendingRedrive"
    )
    return {name: given.get(name, 0) for name in names.split()}


def described_run(status: str, **given: int) -> Json:
    """DescribeMapRun's answer."""
    ended = {} if status == "RUNNING" else {"stopDate": 1700000010.5}
    return {
        "mapRunArn": RUN,
        "executionArn": EXECUTION,
        "status": status,
        "startDate": 1700000000.5,
        "itemCounts": counts(**given),
        "executionCounts": counts(**given),
        **ended,
    }


def progress(share: float | None, read: int, expected: int | None, *, ended: bool = False) -> Json:
    """What the API says of a Map Run's reading; members that aren't known are absent."""
    known = {"sourceShareRead": share, "itemsExpected": expected}
    told = {name: value for name, value in known.items() if value is not None}
    return {"mapRunArn": RUN, "itemsRead": read, "sourceEnded": ended, **told}
