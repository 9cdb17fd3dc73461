"""What AWS adds to JSONata and takes from it, and where an expression must give a value of one type."""

import re
from typing import Any

import msgspec
import pytest

from maprun.interpreter import ExecutionHead, begin
from maprun.language import compile_machine
from schemas.history import EventType
from tests.property.language.second_engine import Outcome, ours

T0410: Outcome = ("error", "T0410")
D3137: Outcome = ("error", "D3137")
NOTHING: Outcome = ("undefined", None)
TABLE: list[tuple[str, Outcome]] = [
    ("$partition([1..5], 2)", ("value", [[1, 2], [3, 4], [5]])),
    ("$partition([1..5], 2.6)", ("value", [[1, 2], [3, 4], [5]])),
    ("$partition([1, 2, 3])", ("value", [[1, 2, 3]])),
    ("$partition([1, 2, 3], $nothing)", ("value", [[1, 2, 3]])),
    ("$partition([1, 2, 3], 9)", ("value", [[1, 2, 3]])),
    ("$partition([], $nothing)", ("value", [[]])),
    ("$partition([], 2)", NOTHING),
    ("$partition([1], 0)", NOTHING),
    ("$partition([1], -0.5)", NOTHING),
    ("$partition($nothing, 2)", NOTHING),
    ("$partition([1], -1)", D3137),
    ("$partition('a', 1)", ("error", "T0412")),
    ("$partition(null, 1)", ("error", "T0412")),
    ("$partition([1], '2')", T0410),
    ("$partition([1], null)", T0410),
    ("$partition([1], true)", T0410),
    ("$partition([1], 2, 99)", T0410),
    ("$range(0, 10, 5)", ("value", [0, 5, 10])),
    ("$range(5, 1, -2)", ("value", [5, 3, 1])),
    ("$range(5, 1, -1.5)", ("value", [5, 4, 3, 2, 1])),
    ("$range(1.4, 5.6, 2.2)", ("value", [1, 3, 5])),
    ("$range(-1.7, 2, 1)", ("value", [-1, 0, 1, 2])),
    ("$range(3, 3, 1)", ("value", 3)),
    ("$range(1, 9, 9)", ("value", 1)),
    ("[$range(1, 9, 9)]", ("value", [1])),
    ("[$range(3, 0, 1)]", ("value", [])),
    ("$range(1, 0, 2)", NOTHING),
    ("$range(0, 1, 0)", NOTHING),
    ("$range(0, 1, 0.25)", NOTHING),
    ("$range(1, 5)", NOTHING),
    ("$range($nothing, 3, 1)", NOTHING),
    ("$range(0, $nothing, 1)", NOTHING),
    ("$count($range(-9223372036854775808, 9223372036854775807, 9223372036854775807))", ("value", 3)),
    ("$count($range(1, 873782, 1))", ("value", 873_782)),
    ("$range(1, 873783, 1)", ("error", "")),
    ("$range(1/0, 0, 1)", NOTHING),
    ("$range(1)", T0410),
    ("$range('a', 5, 1)", T0410),
    ("$range(1, 5, null)", T0410),
    ("$range(1, 5, 1, 99)", T0410),
    ("$hash('a', 'MD5')", ("value", "0cc175b9c0f1b6a831c399e269772661")),
    ("$hash('a', 'SHA-1')", ("value", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8")),
    ("$hash('ñ', 'MD5')", ("value", "94e9342ecbb1458b6043ecd3bfcbc192")),
    ("'a' ~> $hash('MD5')", ("value", "0cc175b9c0f1b6a831c399e269772661")),
    ("($h := $hash(?, 'MD5'); $h('a'))", ("value", "0cc175b9c0f1b6a831c399e269772661")),
    ("$hash('a')", NOTHING),
    ("$hash($nothing, 'MD5')", NOTHING),
    ("$hash('a', $nothing)", D3137),
    ("$hash('a', 'md5')", D3137),
    ("$hash('a', 'CRC')", D3137),
    ("$hash()", T0410),
    ("$hash(1, 'MD5')", T0410),
    ("$hash('a', 5)", T0410),
    ("$hash('a', null)", T0410),
    ("$hash('a', 'MD5', 'x')", T0410),
    ("$parse('{\"a\": [1, null]}')", ("value", {"a": [1, None]})),
    ("$parse('[1,2]')[1]", ("value", 2)),
    ("$parse('null')", ("value", None)),
    ("$parse('{\"n\":9223372036854775807}').n", ("value", 9223372036854775807)),
    ("$parse('123456789012345678901234567890')", ("value", 1.2345678901234568e29)),
    ("$string($parse('{\"n\":9223372036854775808}').n)", ("value", "9223372036854776000")),
    ("$map(['{\"a\":1}', '{\"a\":2}'], $parse).a", ("value", [1, 2])),
    ("'[1]' ~> $parse", ("value", [1])),
    ("'[1]' ~> $parse()", ("value", [1])),
    ("($p := $parse; $p('[1]'))", ("value", [1])),
    ("($parse := function($x){$x & '!'}; $parse('a'))", ("value", "a!")),
    ("$parse()", NOTHING),
    ("$parse($nothing)", NOTHING),
    ("$parse('{')", D3137),
    ("$parse('')", D3137),
    ('$parse(\'{"a":1,"a":2}\')', D3137),
    ("$parse('[1] [2]')", D3137),
    ("$parse('1e400')", D3137),
    ("$parse('NaN')", D3137),
    ("$parse(null)", T0410),
    ("$parse(1)", T0410),
    ("$parse('{}', 1)", T0410),
    ("$uuid(1)", T0410),
    ("$random(42)", ("value", 0.7275636800328681)),
    ("$random(0)", ("value", 0.730967787376657)),
    ("$random(0.9)", ("value", 0.730967787376657)),
    ("$random(7)", ("value", 0.7306990420600421)),
    ("$random(-5)", ("value", 0.26930095796932485)),
    ("$random(1e300)", ("value", 0.26894263088050496)),
    ("$random(-1e300)", ("value", 0.730967787376657)),
    ("$random(123456.789)", ("value", 0.4132192266296165)),
    ("[1..2].$random(42)", ("value", [0.7275636800328681, 0.7275636800328681])),
    ("$random('x')", T0410),
    ("$random(null)", T0410),
    ("$random(77, 88)", T0410),
    ("$now(1)", T0410),
    ("$millis(1)", T0410),
    ("$pad('x', 1, 2)", T0410),
    ("$pad('x', -3, '0')", ("value", "00x")),
    ("$pad($nothing, 3)", NOTHING),
    ("['a', 'b'].$pad(3)", ("value", ["a  ", "b  "])),
    ("$formatInteger(1999, 'I')", ("value", "MCMXCIX")),
    ("$formatInteger($nothing, 'I')", NOTHING),
    ("$base64decode('/w==')", ("value", "ÿ")),
    ("$base64decode('w6k=')", ("value", "é")),
    ("$base64decode('YQ')", ("value", "a")),
    ("$base64decode('a')", ("value", "")),
    ("$base64decode('!!')", ("value", "")),
    ("$base64decode($nothing)", NOTHING),
    ("$base64decode(123)", T0410),
    ("1/0", ("value", "Infinity")),
    ("-1/0", ("value", "-Infinity")),
    ("0/0", ("value", "NaN")),
    ("1e308*10", ("value", "Infinity")),
    ("[1/0]", ("value", ["Infinity"])),
    ("{'k': 1/0, 'n': null}", ("value", {"k": "Infinity", "n": None})),
    ("($x := 1/0; [null, [$x, {'a': -$x}]])", ("value", [None, ["Infinity", {"a": "-Infinity"}]])),
    ("1/0 > 5", ("value", True)),
    ("$string(1/0)", ("error", "D3001")),
    ("$parseInteger('abc', '0')", ("value", "NaN")),
    ("$string(1e20)", ("value", "100000000000000000000")),
    ("$string(999999999999999868928)", ("value", "999999999999999900000")),
    ("$string(1e21)", ("value", "1e+21")),
    ("[1..873782] ~> $count()", ("value", 873_782)),
    ("[1..873783] ~> $count()", ("error", "")),
    ("$eval('1 + 1')", ("error", "T1006")),
    ("$random() < 1 and $random() >= 0", ("value", True)),
    ("$random(7) = $random(7)", ("value", True)),
    ("$random() = $random()", ("value", False)),
    ("$uuid() = $uuid()", ("value", False)),
    ("$now()", ("value", "2023-11-14T22:13:20.000Z")),
    ("$now('[Y0001]/[M01]/[D01]')", ("value", "2023/11/14")),
    ("$now('[H01]:[m01]', '+0200')", ("value", "00:13")),
    ("$millis()", ("value", 1_700_000_000_000)),
    ("function($x){$x}", ("unsupported", None)),
    ("$sum", ("unsupported", None)),
    ("/a/", ("unsupported", None)),
    ("$nothing", NOTHING),
    ("null", ("value", None)),
]


@pytest.mark.parametrize(("source", "outcome"), TABLE, ids=[source for source, _ in TABLE])
def test_a_function_of_aws_gives(source: str, outcome: Outcome) -> None:
    """Each function of AWS's, its limits, and the results that are no JSON."""
    assert ours(source, {}) == outcome


def test_a_uuid_is_of_version_4() -> None:
    """`$uuid()` has the form of RFC 4122, version 4."""
    kind, value = ours("$uuid()", {})
    assert kind == "value"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", value)


def _ended(state: dict[str, Any]) -> tuple[str | None, str | None, list[int]]:
    document = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}}
    machine = compile_machine(msgspec.json.encode(document))
    step = begin(machine, ExecutionHead("arn:e", "e", "arn:m", "m", "arn:role", 0, b"{}"), 0)
    assert step.ended is not None
    return step.ended.error, step.ended.cause, [event.type for event in step.events]


@pytest.mark.parametrize("field", ["Error", "Cause"])
def test_the_texts_of_a_fail_must_be_strings(field: str) -> None:
    """An Error or Cause that is a number is States.QueryEvaluationError, told by EvaluationFailed first."""
    error, cause, events = _ended({"Type": "Fail", field: "{% 5 %}"})
    assert error == "States.QueryEvaluationError"
    assert cause is not None
    words = f"The JSONata expression '5' specified for the field '{field}' returned an unexpected result type."
    assert f"{words} Expected 'string', but was 'number' for value: 5" in cause
    assert events[-2:] == [EventType.EVALUATION_FAILED, EventType.EXECUTION_FAILED]


def test_an_output_that_nests_too_deep_is_an_evaluation_error() -> None:
    """What can't be a payload is refused by the expression, so that Catch may see it."""
    nested = "$reduce([1..600], function($a, $b){{'a': $a}}, {})"
    assert ours(nested, {}) == ("error", "")
