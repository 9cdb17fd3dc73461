"""The commands of docs/backup.md: a stack copied in mid-run, restored into an empty folder, goes on from the copy."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.chaos.driver import PROGRESS_SECONDS_MAX, Report, Watch, done_of, expected_status, start, trouble_in_midrun
from tests.integration.system.running import PASS, ended, states
from tests.integration.system.stack import ROLE, ROOT, Stack

pytestmark = pytest.mark.integration
ITEMS, CONCURRENCY = 3_000, 100


def commands() -> list[str]:
    """The page's blocks: the copying one, the restoring one."""
    return re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs/backup.md").read_text(), re.MULTILINE | re.DOTALL)


def run(block: str, state: Path, copy: Path) -> None:
    """Runs a block as a user does."""
    given = os.environ | {"STATE": str(state), "COPY": str(copy)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=given, check=True)


def test_a_copy_of_a_stack_in_mid_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """What had ended is as it was, what ran ends with one result for each index, what came later is unknown."""
    copying, restoring = commands()
    one = Stack(tmp_path / "one")
    one.folder.mkdir()
    one.up()
    try:
        sfn = one.client("stepfunctions")
        machine = sfn.create_state_machine(name="done", definition=states(**PASS), roleArn=ROLE)["stateMachineArn"]
        before = sfn.start_execution(stateMachineArn=machine, name="before", input='{"n": 1}')["executionArn"]
        told = ended(sfn, before)
        execution = start(one, ITEMS, CONCURRENCY, "STANDARD", "copied")
        assert Watch(one, execution).until_reached(ITEMS // 5, PROGRESS_SECONDS_MAX)
        run(copying, one.folder, tmp_path / "copy")
        after = sfn.start_execution(stateMachineArn=machine, name="after", input="{}")["executionArn"]
        assert ended(sfn, after)["status"] == "SUCCEEDED"
    finally:
        one.down()
    two = Stack(tmp_path / "two", seed=os.getpid() + 1)
    run(restoring, two.folder, tmp_path / "copy")
    two.up()
    try:
        sfn = two.client("stepfunctions")
        again = ended(sfn, before)
        assert {name: again[name] for name in ("status", "output", "startDate", "stopDate")} == {
            name: told[name] for name in ("status", "output", "startDate", "stopDate")
        }
        with pytest.raises(sfn.exceptions.ExecutionDoesNotExist):
            sfn.describe_execution(executionArn=after)
        run_now = Watch(two, execution).until_answered(PROGRESS_SECONDS_MAX)
        assert run_now is not None
        assert 0 < done_of(run_now) < ITEMS
        report = trouble_in_midrun(two, execution, Report(items=ITEMS, seed=1), [], expected_status, print)
    finally:
        two.down()
    assert (report.wrong, report.lost, report.doubled) == ([], 0, 0)
