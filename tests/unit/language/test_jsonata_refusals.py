"""Expressions that AWS refuses when a machine is made, each with its code, words and place."""

import json
from typing import Any

import pytest

from maprun.language import DefinitionError, compile_machine

END: dict[str, Any] = {"Type": "Succeed"}
TASK: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
BRANCH = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
PARALLEL = {"Type": "Parallel", "Branches": [BRANCH]}
INLINE = {"Type": "Map", "ItemProcessor": BRANCH}
DISTRIBUTED = {
    "Type": "Map",
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **BRANCH},
}
READER = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}}
READ = {"Bucket": "b", "Key": "k"}
WRITER = {"Resource": "arn:aws:states:::s3:putObject"}


def told(state: dict[str, Any]) -> str:
    """What a machine of the state X, followed by Y, is refused with; empty when it is taken."""
    whole = (
        state
        if {"End", "Next"} & state.keys() or state["Type"] in ("Choice", "Fail", "Succeed")
        else {**state, "Next": "Y"}
    )
    states = {"X": whole} if whole["Type"] in ("Fail", "Succeed") else {"X": whole, "Y": END}
    document = {"QueryLanguage": "JSONata", "StartAt": "X", "States": states}
    try:
        compile_machine(json.dumps(document).encode())
    except DefinitionError as error:
        return str(error)
    return ""


def of_output(expression: str) -> str:
    """What a Pass with this Output is refused with."""
    return told({"Type": "Pass", "Output": "{% " + expression + " %}"})


@pytest.mark.parametrize(
    "expression",
    [
        "phone", "phone[0].number", "phone.number.street", "-phone", "phone ? 1 : 2", "$states.input.a ? phone : 2",
        "phone & 'x'", "phone in $states.input.b", "$sum(phone)", "phone(1)", "phone ~> $string()", "[1..phone]",
        "(phone)", "(phone).other", "[phone].other", "[phone, 1]", "{phone: 1}", "{'a': phone}", "($x := phone; $x)",
        "$map($states.input.a, function($y){ phone })", "$count(phone[inner])", "phone.**.deeper", "`phone`",
        "phone^(a)", "phone{a: b}", "1 + phone + phone", "$f(?, phone)", "$states.input.a ~> $map(phone)",
    ],
)  # fmt: skip
def test_a_name_that_reads_the_absent_context_is_refused(expression: str) -> None:
    """The identifier at the top is named once, at the field's place."""
    words = "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported."
    assert of_output(expression) == f"{words} at /States/X/Output"


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.phone", "$states.input.a[0].phone", "$states.input.items[phone > 3]", "$states.input.a^(phone)",
        "$states.input.a{'k': phone}", "$states.input.a.(phone)", "$states.input.(x)", "$states.input.a[status='x']",
        "$phone", "$states.input.a ~> $string()", "$states.input ~> |phone|{'b': 1}|", "**.phone", "{'k': 1}.phone",
        "$states.input.a[0][phone]", "$states.input.a[$ > 1]", "function($x){ $x.phone }", "*",
        "$map($states.input.a, function($x){ $x.phone })", "'phone'", "1 + 1", "$now()", "$states", "($states).result",
        "$states.input.x.$states.qux", "[$states, $states.input, $states.context]", "($x := 1; $y := $x + 1; [$x, $y])",
        "'$states.result'", "$states.input.result", "$states.input.a@$b#$i.{'v': b, 'i': $i}", "$states.input.a.$phone",
    ],
)  # fmt: skip
def test_a_name_with_a_context_is_taken(expression: str) -> None:
    """Later steps, predicates, sort terms, groups and transforms may name members; lambdas have their parameters."""
    assert of_output(expression) == ""


@pytest.mark.parametrize(
    "expression", ["$", "$.phone", "$[0]", "$string($)", "$map($states.input.a, function($x){ $ })"]
)
def test_the_context_itself_is_refused(expression: str) -> None:
    """`$` at the top is refused in the words for a name."""
    words = "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$' at the top level is not supported. at /States/X/Output"
    assert of_output(expression) == words


@pytest.mark.parametrize("expression", ["$$", "$$.phone"])
def test_the_root_is_refused(expression: str) -> None:
    """`$$` has words of its own."""
    assert (
        of_output(expression)
        == "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' is not supported. at /States/X/Output"
    )


def test_every_name_is_told_once_in_the_order_written() -> None:
    """Two names are two findings."""
    line = "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '{}' at the top level is not supported. at /States/X/Output"
    assert of_output("bbb + aaa * bbb") == f"{line.format('bbb')}, {line.format('aaa')}"


GONE = "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.{}' does not exist. at /States/X/{}"


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"Type": "Pass", "Output": "?"}, "Output"),
        ({"Type": "Pass", "Output": {"a": [1, "?"]}}, "Output/a[1]"),
        ({"Type": "Pass", "Assign": {"v": "?"}}, "Assign/v"),
        ({"Type": "Wait", "Seconds": "?"}, "Seconds"),
        ({"Type": "Wait", "Timestamp": "?"}, "Timestamp"),
        ({"Type": "Wait", "Seconds": 1, "Output": "?"}, "Output"),
        ({"Type": "Fail", "Cause": "?"}, "Cause"),
        ({"Type": "Fail", "Error": "?"}, "Error"),
        ({"Type": "Succeed", "Output": "?"}, "Output"),
        ({**TASK, "Arguments": {"Payload": "?"}}, "Arguments/Payload"),
        ({**TASK, "TimeoutSeconds": "?"}, "TimeoutSeconds"),
        ({**TASK, "HeartbeatSeconds": "?"}, "HeartbeatSeconds"),
        ({**TASK, "Credentials": {"RoleArn": "?"}}, "Credentials/RoleArn"),
        ({**PARALLEL, "Arguments": "?"}, "Arguments"),
        ({**INLINE, "Items": "?"}, "Items"),
        ({**INLINE, "ItemSelector": {"v": "?"}}, "ItemSelector/v"),
        ({**INLINE, "MaxConcurrency": "?"}, "MaxConcurrency"),
        ({**DISTRIBUTED, "ToleratedFailureCount": "?"}, "ToleratedFailureCount"),
        ({**DISTRIBUTED, "ToleratedFailurePercentage": "?"}, "ToleratedFailurePercentage"),
        ({**DISTRIBUTED, "ItemReader": {**READER, "Arguments": {**READ, "Key": "?"}}}, "ItemReader/Arguments/Key"),
        (
            {
                **DISTRIBUTED,
                "ItemReader": {**READER, "Arguments": READ, "ReaderConfig": {"InputType": "JSON", "MaxItems": "?"}},
            },
            "ItemReader/ReaderConfig/MaxItems",
        ),
        ({**DISTRIBUTED, "ItemBatcher": {"MaxItemsPerBatch": "?"}}, "ItemBatcher/MaxItemsPerBatch"),
        ({**DISTRIBUTED, "ItemBatcher": {"MaxInputBytesPerBatch": "?"}}, "ItemBatcher/MaxInputBytesPerBatch"),
        ({**DISTRIBUTED, "ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"a": "?"}}}, "ItemBatcher/BatchInput/a"),
        ({**DISTRIBUTED, "ResultWriter": {**WRITER, "Arguments": {"Bucket": "?"}}}, "ResultWriter/Arguments/Bucket"),
        ({"Type": "Choice", "Choices": [{"Condition": "?", "Next": "Y"}]}, "Choices[0]/Condition"),
        ({"Type": "Choice", "Choices": [{"Condition": True, "Next": "Y", "Output": "?"}]}, "Choices[0]/Output"),
        (
            {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Y", "Assign": {"v": "?"}}]},
            "Choices[0]/Assign/v",
        ),
        ({"Type": "Choice", "Choices": [{"Condition": True, "Next": "Y"}], "Output": "?"}, "Output"),
    ],
)
def test_every_place_of_an_expression_is_checked(state: dict[str, Any], place: str) -> None:
    """Before a result there is none to read, nor an error's output; input and context may be read everywhere."""

    def written(expression: str) -> dict[str, Any]:
        changed: dict[str, Any] = json.loads(json.dumps(state).replace('"?"', json.dumps("{% " + expression + " %}")))
        return changed

    for member in ("result", "errorOutput", "foo"):
        assert told(written(f"$states.{member}.x")) == GONE.format(member, place)
    assert told(written("$states.`result`")) == GONE.format("result", place)
    assert told(written("[$states.input.a, $states.context.State.Name]")) == ""
    assert told(written("a[1,2)")) == f'INVALID_JSONATA_EXPRESSION: Expected "]", got "," at /States/X/{place}'
    mistyped = json.loads(json.dumps(state).replace('"?"', json.dumps("{% 1")))
    assert place in told(mistyped)


@pytest.mark.parametrize(
    "holder", [TASK, PARALLEL, INLINE, DISTRIBUTED], ids=["Task", "Parallel", "inline", "distributed"]
)
def test_a_result_is_read_after_success_and_an_error_in_a_catcher(holder: dict[str, Any]) -> None:
    """Output and Assign of Task, Parallel and Map have `result`; those of their catchers have `errorOutput`."""
    result, error = "{% $states.result.a %}", "{% $states.errorOutput.Cause %}"
    catcher = {"ErrorEquals": ["States.ALL"], "Next": "Y"}
    assert told({**holder, "Output": result, "Assign": {"v": [result]}}) == ""
    assert told({**holder, "Catch": [{**catcher, "Output": error, "Assign": {"v": error}}]}) == ""
    assert told({**holder, "Output": error}) == GONE.format("errorOutput", "Output")
    assert told({**holder, "Catch": [{**catcher, "Output": result}]}) == GONE.format("result", "Catch[0]/Output")
    assert told({**holder, "Output": "{% $map([1], function($v){ $states.result }) %}"}) == ""


@pytest.mark.parametrize(
    "text", ["{% 1", "1 %}", " {% 1 %}", "{% 1 %} ", "{%}", "{% 1 %}\n", "x %}", "{% x", "{ % 1 %}"]
)
def test_mistyped_brackets_are_refused(text: str) -> None:
    """What begins or ends like an expression, and is none, is an error wherever an expression may stand."""
    for value in (text, {"a": text}, [text]):
        place = {str: "", dict: "/a", list: "[0]"}[type(value)]
        found = told({"Type": "Pass", "Output": value})
        assert found.startswith("INVALID_JSONATA_EXPRESSION: A JSONata expression must begin with '{%'")
        assert found.endswith(f" at /States/X/Output{place}")


@pytest.mark.parametrize("text", ["x {% 1 %} y", " {% 1 %} ", "{", "%", "% }", "{a} %", "", "100 %", "{ % 1 % }"])
def test_brackets_within_a_text_are_text(text: str) -> None:
    """Nothing is evaluated in the middle of a text."""
    assert told({"Type": "Pass", "Output": text}) == ""


def test_a_comment_is_no_expression() -> None:
    """What no evaluation reads is not checked."""
    assert told({"Type": "Pass", "Comment": "{% (1 %} "}) == ""


def test_a_machine_that_was_taken_before_goes_on() -> None:
    """What is refused today of an expression does not stop a machine that an older release accepted."""
    states = {"X": {"Type": "Pass", "Output": {"a": "{% phone %}", "b": "{% 1", "c": "{% a[1,2) %}"}, "End": True}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "X", "States": states}).encode()
    with pytest.raises(DefinitionError):
        compile_machine(definition)
    assert compile_machine(definition, accepted=True).states["X"].name == "X"
