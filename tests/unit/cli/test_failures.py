"""`maprun errors` against an API that answers from a table: parts, their sum, what is printed."""

import json
from urllib.parse import quote

import pytest

from tests.unit.cli.fake_api import FakeApi, Json
from tests.unit.cli.rows import EXECUTION, RUN
from tests.unit.cli.test_commands import run


def test_errors_are_summed_over_all_parts() -> None:
    """Each part is asked for with the token before it; alike clusters become one row, the largest first."""
    with FakeApi() as api:

        def part(body: Json) -> Json:
            more = "nextToken" in body["path"]
            few = {
                "status": "FAILED",
                "error": "E",
                "causePattern": "c <n>",
                "firstDate": 2 - more,
                "lastDate": 2 - more,
            }
            other = {**few, "error": "F", "count": 4, "executionArns": ["f"]}
            ours = {**few, "count": 3, "executionArns": ["a", "b"] if more else ["c", "d"]}
            found: Json = {"mapRunArn": RUN, "childrenCounted": 7, "clusters": [other, ours] if more else [ours]}
            return found if more else {**found, "childrenCounted": 3, "nextToken": "a+b"}

        api.answers["GET"] = part
        result = run(api, "errors", RUN, "--json")
        assert result.exit_code == 0, result.output
        assert api.asked[1][1]["path"].endswith("&nextToken=a%2Bb")
        told = json.loads(result.stdout)
        assert told["childrenCounted"] == 10
        assert [(c["error"], c["count"], c["firstDate"], c["lastDate"]) for c in told["clusters"]] == [
            ("E", 6, 1, 2),
            ("F", 4, 1, 1),
        ]
        assert told["clusters"][0]["executionArns"] == ["c", "d", "a"]
        shown = run(api, "errors", RUN, "--limit", "1")
        assert "c <n>" in shown.stdout
        assert "4 more children in 1 more rows" in shown.stderr


@pytest.mark.parametrize(
    ("runs", "code", "told"),
    [([RUN], 0, ""), ([], 2, "has no Map Run"), ([RUN, f"{RUN}2"], 2, f"has 2 Map Runs: name one of them\n  {RUN}\n")],
)
def test_an_execution_stands_for_its_only_map_run(runs: list[str], code: int, told: str) -> None:
    """Of several, all are named, so that one can be chosen; nothing else is asked then."""
    with FakeApi() as api:
        api.answers["ListMapRuns"] = lambda _: {"mapRuns": [{"mapRunArn": arn} for arn in runs]}
        api.answers["GET"] = lambda _: {"mapRunArn": RUN, "childrenCounted": 0, "clusters": [], "executions": []}
        api.answers["ListExecutions"] = lambda _: {"executions": []}
        api.answers["UpdateMapRun"] = lambda _: {}
        for arguments in (
            ("errors", EXECUTION),
            ("list", "executions", "--map-run", EXECUTION),
            ("list", "executions", "--map-run", EXECUTION, "--text", "x"),
            ("update-map-run", EXECUTION, "--max-concurrency", "1"),
        ):
            result = run(api, *arguments)
            assert (result.exit_code, told in result.stderr) == (code, True)
        assert [asked["mapRunArn"] for operation, asked in api.asked if "mapRunArn" in asked] == [RUN, RUN] * (not code)
        paths = [asked["path"] for operation, asked in api.asked if operation == "GET"]
        assert [path.count(quote(RUN, safe="")) for path in paths] == [1, 1] * (not code)


def test_another_arn_is_none_of_a_map_run() -> None:
    """It is said before anything is asked."""
    with FakeApi() as api:
        assert (run(api, "errors", "arn:aws:lambda:r:a:f:x").exit_code, api.asked) == (2, [])


def clusters_of(body: Json) -> Json:
    """Two clusters with one error, another with another."""
    assert "children=true" in body["path"]
    some = {"status": "FAILED", "causePattern": "c <n>", "firstDate": 1, "lastDate": 1, "executionArns": ["a"]}
    ours = {**some, "error": "E", "count": 3, "children": [0, 2, 7, 1]}
    late = {**some, "error": "E", "count": 1, "children": [9, 1], "status": "TIMED_OUT"}
    other = {**some, "error": "F", "count": 1, "children": [5, 1]}
    return {"mapRunArn": RUN, "childrenCounted": 5, "clusters": [ours, late, other]}


def test_a_cluster_is_redriven_with_its_number_first() -> None:
    """Nothing is redriven before a yes; then the children of all clusters that were meant, and they alone."""
    with FakeApi() as api:
        api.answers["GET"] = clusters_of
        api.answers["DescribeMapRun"] = lambda _: {"mapRunArn": RUN, "executionArn": EXECUTION}
        api.answers["/maprun/redrive"] = lambda _: {"redriveDate": 1700000100.5}
        refused = run(api, "redrive", RUN, "--error", "E")
        assert "Redrive 4 children?" in refused.stderr
        assert (refused.exit_code, "/maprun/redrive" in api.operations()) == (1, False)
        done = run(api, "redrive", RUN, "--error", "E", "--status", "FAILED", "--yes", "--child", "b", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"redriveDate": 1700000100.5, "childrenRedriven": 4}
        sent = api.asked[-1][1]
        assert (sent["mapRunArn"], sent["children"], sent["executionArns"]) == (RUN, [0, 2, 7, 1], ["b"])
        assert sent["clientToken"]


def test_a_choice_is_of_a_map_run_and_not_empty() -> None:
    """An execution with a choice, a Map Run without one, and a choice of nobody are said to be wrong."""
    with FakeApi() as api:
        api.answers["GET"] = clusters_of
        api.answers["DescribeMapRun"] = lambda _: {"mapRunArn": RUN, "executionArn": EXECUTION}
        for given in ((EXECUTION, "--error", "E"), (RUN,), (RUN, "--cause", "c 7")):
            assert run(api, "redrive", *given).exit_code == 2
        assert "/maprun/redrive" not in api.operations()


def test_children_are_looked_for_page_by_page() -> None:
    """What is asked of children goes with every page; pages without any are passed over."""
    row = {"executionArn": "a", "status": "FAILED", "startDate": 1, "stopDate": 2, "error": "E", "cause": "c 7"}
    pages = iter([([], "t1"), ([row], "t2"), ([{**row, "executionArn": "b"}], None)])

    def page(_: Json) -> Json:
        rows, token = next(pages)
        return {"mapRunArn": RUN, "childrenLookedAt": 9, "executions": rows, **({"nextToken": token} if token else {})}

    with FakeApi() as api:
        api.answers["GET"] = page
        listed = run(api, "list", "executions", "--map-run", RUN, "--error", "E", "--longer-than", "1.5", "--json")
        assert listed.exit_code == 0, listed.output
        assert [each["executionArn"] for each in json.loads(listed.stdout)] == ["a", "b"]
        asked = [body["path"] for _, body in api.asked]
        assert all("&error=E&minSeconds=1.5" in path for path in asked)
        assert [path.rpartition("nextToken=")[2] for path in asked[1:]] == ["t1", "t2"]
        assert run(api, "list", "executions", "--machine", "m", "--error", "E").exit_code == 2


def test_result_files_are_listed() -> None:
    """Each with its bytes and address; what the answer leaves out is said, and why there are none."""
    file = {"status": "SUCCEEDED", "key": "n/SUCCEEDED_0.json", "size": 5000}
    there: Json = {
        "mapRunArn": RUN,
        "bucket": "out",
        "manifestKey": "n/manifest.json",
        "files": [file],
        "filesInAll": 3,
    }
    with FakeApi() as api:
        api.answers["GET"] = lambda _: there
        listed = run(api, "results", RUN)
        assert "5,000" in listed.stdout
        assert "s3://out/n/SUCCEEDED_0.json" in listed.stdout
        assert "2 more files stand in s3://out/n/manifest.json" in listed.stderr
        api.answers["GET"] = lambda _: {**there, "error": "no such bucket"}
        failed = run(api, "results", RUN)
        assert (failed.exit_code, "no such bucket" in failed.stderr) == (1, True)
        api.answers["GET"] = lambda _: {"mapRunArn": RUN, "files": [], "filesInAll": 0}
        assert run(api, "results", RUN).exit_code == 1


def test_logs_of_functions_are_printed() -> None:
    """Each call under its function's name; that there are none, or more, is said, and why they can't be had."""
    call = {"functionName": "price", "requestId": "r", "log": "START r\nr\thello\nEND r", "truncated": False}
    there: Json = {"executionArn": "e", "calls": [call], "truncated": True}
    with FakeApi() as api:
        api.answers["GET"] = lambda _: there
        printed = run(api, "logs", "arn:child")
        assert printed.stdout.splitlines() == ["price:", "START r", "r\thello", "END r"]
        assert "there are more" in printed.stderr
        api.answers["GET"] = lambda _: {"executionArn": "e", "calls": [], "truncated": False}
        assert "no function has printed anything" in run(api, "logs", "arn:child").stderr
        api.answers["GET"] = lambda _: {**there, "calls": [], "error": "they are in CloudWatch Logs"}
        refused = run(api, "logs", "arn:child")
        assert (refused.exit_code, "they are in CloudWatch Logs" in refused.stderr) == (1, True)
