"""Definitions bent at random: fields gone, renamed, moved, swapped, doubled; values replaced by others."""

import random
from typing import Any

from maprun.language.validate_fields import FIELDS

NAMES = [
    *sorted({field for fields in FIELDS.values() for field in fields}),
    "StartAt", "States", "Version", "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds",
    "JitterStrategy", "Variable", "And", "Or", "Not", "Condition", "ProcessorConfig", "Mode", "ExecutionType",
    "ReaderConfig", "InputType", "MaxItems", "MaxItemsPath", "WriterConfig", "MaxItemsPerBatch", "BatchInput",
    "StringEquals", "NumericLessThanPath", "TimestampEquals", "BooleanEquals", "IsPresent", "StringMatches", "x.$",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 0.5, 1e308, 10**20, 99_999_999, 100_000_000, "", "A", "P", "x" * 81, "ü\U0001f600",
    "$", "$$", "$.a", "$.n", "$.items", "$.items[0]", "$.items[*]", "$..a", "$.a.b.c", "$[?(@.a == 1)]", "$v", "$v.x",
    "$$.Map.Item.Value", "$$.Execution.Input", "$.", "$[", "States.UUID()", "States.MathAdd(1, $.n)", "States.Nope()",
    "States.StringToJson($.s)", "States.ArrayRange(0, 9, 2)", "States.Format('{}', $)", "{% $states.input %}",
    "{% $states.result %}", "{% 1 + 'a' %}", "{% ( %}", "{%%}", "{% $states.context %}", "{% function(){1} %}",
    "{% [1..200000] %}", "{% $v := 1 %}", "JSONata", "JSONPath", "INLINE", "DISTRIBUTED", "STANDARD", "EXPRESS", "FULL",
    "Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map", "2016-08-18T17:33:00Z", "2016-13-18T25:00Z",
    "arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "arn:x",
    "arn:aws:states:us-east-1:123456789012:activity:a", ["States.ALL"], ["States.Runtime"], [], [1], {}, {"a": {}},
    {"x.$": "$.a"}, {"x.$": 1}, [[]], "\x00", "CSV", "States.ALL", {"RoleArn.$": "$.s"},
]  # fmt: skip


def _places(value: Any, found: list[Any]) -> list[Any]:
    """Every object and array with something in it."""
    if isinstance(value, dict) and value:
        found.append(value)
        for inner in value.values():
            _places(inner, found)
    elif isinstance(value, list) and value:
        found.append(value)
        for inner in value:
            _places(inner, found)
    return found


def copied(value: Any) -> Any:
    """A copy that shares nothing."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def bend(document: Any, other: Any, chance: random.Random) -> None:
    """Changes one thing in place; `other` is a document to take parts from."""
    places = _places(document, [])
    place = chance.choice(places)
    donors = _places(other, [])
    kind = chance.randrange(7)
    if isinstance(place, list):
        at = chance.randrange(len(place))
        if kind == 0:
            del place[at]
        elif kind == 1:
            place.insert(at, copied(place[at]))
        else:
            place[at] = _something(donors, chance)
        return
    key = chance.choice(list(place))
    if kind == 0:
        del place[key]
    elif kind == 1:
        place[chance.choice(NAMES)] = place.pop(key)
    elif kind == 2:
        place[chance.choice(NAMES)] = _something(donors, chance)
    elif kind == 3 and isinstance(key, str):
        place[key + chance.choice([".$", "Path", " "])] = place.pop(key)
    elif kind == 4:
        second = chance.choice(list(place))
        place[key], place[second] = place[second], place[key]
    else:
        place[key] = _something(donors, chance)


KINDRED: tuple[tuple[str, list[Any]], ...] = (
    ("$", [value for value in VALUES if isinstance(value, str) and value.startswith(("$", "States."))]),
    ("States.", [value for value in VALUES if isinstance(value, str) and value.startswith(("$.", "States."))]),
    ("{%", [
        "{% $states.input %}", "{% $states.input.items[0] %}", "{% $states.result %}", "{% $states.errorOutput %}",
        "{% $states.context.Execution.Input %}", "{% 1 + 'a' %}", "{% function(){1} %}", "{% nope %}", "{% null %}",
        "{% [1..5] %}", "{% [1..200000] %}", "{% $uuid() %}", "{% $random() > 0.5 %}", "{% 3 %}", "{% true %}",
        "{% $parse('[') %}", "{% {'a': $v} %}", "{% $now() %}", "{% ($f := function(){1 + $f()}; $f()) %}", "{% '' %}",
    ]),
    ("arn:aws:states:::", ["arn:aws:states:::sqs:sendMessage", "arn:aws:states:::aws-sdk:s3:listObjectsV2"]),
)  # fmt: skip
"""Beginnings of texts, and texts of the same kind."""


def bend_gently(document: Any, chance: random.Random) -> None:
    """Replaces one path, expression, number or text in place by another of its kind, so that the shape stays valid."""
    leaves: list[tuple[Any, Any]] = []
    for place in _places(document, []):
        keys = list(place) if isinstance(place, dict) else range(len(place))
        leaves += [(place, key) for key in keys if not isinstance(place[key], dict | list)]
    for _ in range(20):
        if not leaves:
            return
        place, key = chance.choice(leaves)
        kindred = _kindred(place[key], key)
        if kindred:
            place[key] = chance.choice(kindred)
            return


def _kindred(value: Any, key: Any) -> list[Any]:
    if isinstance(value, bool) or value is None:
        return [value, not value] if key != "End" else []
    if isinstance(value, int | float):
        return [0, 1, 2, 3, 5, 1.5, 100, 99_999_999]
    for beginning, texts in KINDRED:
        if isinstance(value, str) and value.startswith(beginning):
            return texts
    shape = ("Type", "Next", "Default", "StartAt", "Mode", "ExecutionType", "QueryLanguage", "Resource", "Version")
    return [] if key in shape else ["x", "", "a b", "2016-08-18T17:33:00Z", "ü", "Boom", "x" * 300]


def _something(donors: list[Any], chance: random.Random) -> Any:
    if donors and chance.random() < 0.2:
        donor = chance.choice(donors)
        return copied(chance.choice(list(donor.values()) if isinstance(donor, dict) else donor))
    return copied(chance.choice(VALUES))


def random_json(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON, with names of the language as keys."""
    if depth > 4 or chance.random() < 0.4:
        return copied(chance.choice(VALUES))
    if chance.random() < 0.7:
        return {chance.choice(NAMES): random_json(chance, depth + 1) for _ in range(chance.randrange(5))}
    return [random_json(chance, depth + 1) for _ in range(chance.randrange(4))]
