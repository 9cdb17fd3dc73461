"""Strategies: JSON values, paths, templates, and whole machines that are valid by construction."""

import json
from typing import Any

from hypothesis import strategies as st

from maprun.language.functions import FUNCTIONS as INTRINSICS

NAMES = st.sampled_from(["a", "b", "c", "x y", "ü", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["2016-03-14T01:59:00Z", "a*b", "{}", "3", "-1", "1.5"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
STEPS = st.one_of(
    st.sampled_from([".a", ".b", ".c", "['x y']", "['a','b']", "[0]", "[-1]", "[5]", "..a"]),
    st.sampled_from(["[*]", ".*", "[0:2]", "[:1]", "[-2:]", "..*"]),
    st.sampled_from(
        ["[?(@.a)]", "[?(@.a == 1)]", "[?(@.a > $.b || !(@.c))]", "[?(@ =~ /a.*/i)]", "[?(@.a in [1,null])]"]
    ),
    st.sampled_from([".length()", ".keys()", ".sum()", ".min()", ".avg()", ".stddev()", ".concat()"]),
)
ROOTS = st.sampled_from(["$", "$$", "$$.Execution.Input", "$$.State", "$v", "$w"])


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path that may or may not be well formed, and may lead anywhere."""
    return draw(ROOTS) + "".join(draw(st.lists(STEPS, max_size=4)))


ARGUMENTS = st.one_of(
    paths(), st.sampled_from(["'a'", "'{} {}'", "'{'", "1", "-3", "2.5", "true", "null", "'SHA-1'", "0"])
)
FUNCTIONS = st.sampled_from([name.removeprefix("States.") for name in INTRINSICS])


@st.composite
def calls(draw: st.DrawFn) -> str:
    """An intrinsic call with any arguments, some of them calls again."""
    inner = st.one_of(ARGUMENTS, st.builds("States.{}({})".format, FUNCTIONS, ARGUMENTS))
    return f"States.{draw(FUNCTIONS)}({', '.join(draw(st.lists(inner, max_size=4)))})"


TEMPLATES = st.recursive(
    st.one_of(SCALARS, st.dictionaries(st.sampled_from(["k.$", "l.$"]), st.one_of(paths(), calls()), max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=3)
    ),
    max_leaves=5,
)
PLACES = st.sampled_from(["$", "$.a", "$.r", "$.a.b", "$['x y'].z", None])
ERRORS = st.sampled_from([["States.ALL"], ["Boom"], ["States.TaskFailed"], ["States.Timeout"]])


@st.composite
def scopes(draw: st.DrawFn, names: list[int], depth: int) -> dict[str, Any]:
    """A scope of one to three states in a row."""
    count = draw(st.integers(1, 3))
    own = [f"S{names[0] + at}" for at in range(count)]
    names[0] += count
    states = {}
    for at, name in enumerate(own):
        state = draw(a_state(names, depth))
        if state["Type"] not in ("Succeed", "Fail", "Choice"):
            if at + 1 < count:
                state["Next"] = own[at + 1]
            else:
                state["End"] = True
        elif at + 1 < count:  # an end in the middle would leave the rest out of reach
            state = {"Type": "Pass", "Next": own[at + 1]}
        states[name] = state
    return {"StartAt": own[0], "States": states}


@st.composite
def a_state(draw: st.DrawFn, names: list[int], depth: int) -> dict[str, Any]:
    """One state without its transition."""
    kinds = ["Pass", "Pass", "Task", "Task", "Wait", "Succeed", "Fail"] + (["Parallel", "Map"] if depth < 2 else [])
    kind = draw(st.sampled_from(kinds))
    state: dict[str, Any] = {"Type": kind}
    if kind == "Pass":
        if draw(st.booleans()):
            state["Result"] = draw(VALUES)
        state["ResultPath"] = draw(PLACES)
        if draw(st.booleans()):
            state["Assign"] = {"v.$": draw(st.sampled_from(["$", "States.UUID()", "States.MathRandom(0, 9)"]))}
    elif kind == "Task":
        state["Resource"] = draw(
            st.sampled_from(["arn:aws:states:::lambda:invoke", "arn:aws:lambda:us-east-1:123456789012:function:f"])
        )
        if draw(st.booleans()):
            state["TimeoutSeconds"] = draw(st.integers(1, 5))
    elif kind == "Wait":
        state["Seconds"] = draw(st.integers(0, 5))
    elif kind == "Fail":
        state["Error"] = draw(st.sampled_from(["Boom", "Other"]))
    elif kind == "Parallel":
        state["Branches"] = [draw(scopes(names, depth + 1)) for _ in range(draw(st.integers(1, 3)))]
    elif kind == "Map":
        state["ItemsPath"] = "$$.Execution.Input.items"
        state["MaxConcurrency"] = draw(st.integers(0, 2))
        state["ItemProcessor"] = draw(scopes(names, depth + 1))
        if draw(st.booleans()):
            state["ItemSelector"] = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "u.$": "States.UUID()"}
    if kind in ("Task", "Parallel", "Map"):
        if draw(st.booleans()):
            state["Retry"] = [
                {"ErrorEquals": draw(ERRORS), "MaxAttempts": draw(st.integers(0, 2)), "JitterStrategy": "FULL"}
            ]
        state["ResultPath"] = draw(PLACES)
    return state


@st.composite
def machines(draw: st.DrawFn) -> bytes:
    """A definition that AWS would take."""
    document = draw(scopes([0], 0))
    if draw(st.booleans()):
        document["TimeoutSeconds"] = draw(st.integers(1, 20))
    return json.dumps(document).encode()
