"""A DAG of Airflow's own operators, sensor and hook, over a connection: `python story.py` in the folder of DAGs."""

import datetime as dt
import json
import sys
from typing import Any

from airflow.providers.amazon.aws.hooks.step_function import StepFunctionHook
from airflow.providers.amazon.aws.operators.step_function import (
    StepFunctionGetExecutionOutputOperator as Output,
)
from airflow.providers.amazon.aws.operators.step_function import (
    StepFunctionStartExecutionOperator as Start,
)
from airflow.providers.amazon.aws.sensors.step_function import StepFunctionExecutionSensor as Sensor
from airflow.sdk import DAG, task

ROLE = "arn:aws:iam::123456789012:role/any"
STATES: dict[str, dict[str, Any]] = {
    "waits": {"Type": "Wait", "Seconds": 3, "End": True},
    "fails": {"Type": "Fail", "Error": "Mine"},
}
FACTS = "FACTS "
"""Before the line that tells them: Airflow writes its log to the same stream."""


def arn(kind: str) -> str:
    """A state machine's."""
    return f"arn:aws:states:us-east-1:123456789012:stateMachine:airflow-{kind}"


def redrives(execution: str) -> int:
    """How often an execution was redriven, as the hook sees it."""
    return int(StepFunctionHook().describe_execution(execution)["redriveCount"])


with DAG(dag_id="story", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
    # One execution is started, waited for and read; another fails, is read, redriven, and waited for again.
    start = Start(task_id="start", state_machine_arn=arn("waits"), name="one", state_machine_input={"a": 1})
    wait = Sensor(task_id="wait", execution_arn=start.output, poke_interval=0.5)
    start >> wait >> Output(task_id="read", execution_arn=start.output)

    failing = Start(task_id="failing", state_machine_arn=arn("fails"), name="one")
    fails = Sensor(task_id="fails", execution_arn=failing.output, poke_interval=0.5)
    why = Output(task_id="why", execution_arn=failing.output, trigger_rule="all_done")
    redrive = Start(task_id="redrive", state_machine_arn=arn("fails"), name="one", is_redrive_execution=True)
    again = Sensor(task_id="again", execution_arn=redrive.output, poke_interval=0.5)
    counted = task(redrives).override(trigger_rule="all_done")(redrive.output)
    failing >> fails >> why >> redrive >> again >> counted


def told() -> dict[str, object]:
    """All facts."""
    hook = StepFunctionHook()
    connected, _ = hook.test_connection()
    for kind, state in STATES.items():
        definition = json.dumps({"StartAt": "S", "States": {"S": state}})
        hook.conn.create_state_machine(name=f"airflow-{kind}", definition=definition, roleArn=ROLE)
    tasks = {each.task_id: each for each in dag.test().get_task_instances()}
    return {
        "connected": connected,
        "states": {task_id: str(each.state) for task_id, each in sorted(tasks.items())},
        "output": tasks["read"].xcom_pull(task_ids="read"),
        "sensed": tasks["wait"].xcom_pull(task_ids="wait", key="output"),
        "error": tasks["why"].xcom_pull(task_ids="why"),
        "redrives": tasks["redrives"].xcom_pull(task_ids="redrives"),
    }


if __name__ == "__main__":
    sys.stdout.write(f"\n{FACTS}{json.dumps(told())}\n")
