"""`maprun errors` against an API that answers from a table: parts, their sum, what is printed."""

import json

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


def test_errors_are_those_of_a_map_run() -> None:
    """Another ARN is said to be none, before anything is asked."""
    with FakeApi() as api:
        result = run(api, "errors", EXECUTION)
        assert (result.exit_code, api.asked) == (2, [])
