"""JSONata held against a second implementation: they agree, or the difference is listed with who is right."""

import pytest

from tests.property.language.jsonata_corpus import EXPRESSIONS, INPUTS, written
from tests.property.language.second_engine import agree, ours, theirs

OURS, THEIRS = "ours", "theirs"
DIFFERENCES: dict[str, tuple[str, str]] = {
    "7.5 % 2": (OURS, "the remainder of a fraction is a fraction (1.5); the second engine cuts it"),
    "1 / 0": (OURS, "no infinity in JSON; the second engine fails with Python's own error"),
    "$formatNumber(34.555, '#0.00;(#0.00)')": (OURS, "the reference's own example gives 34.56"),
    "$formatNumber(-34.555, '#0.00;(#0.00)')": (OURS, "the same for a negative number"),
    "$formatNumber(0, '#.##')": (THEIRS, "a zero shows at least one digit: 0, not .0"),
    "$number('0b101')": (OURS, "binary numbers are JSONata since 2.0"),
    "$number('0o17')": (OURS, "octal numbers are JSONata since 2.0"),
    "$distinct([{'a': 1}, {'a': 1}])": (OURS, "an array literal stays an array, also of one element"),
    "$reduce([], function($a, $b){$a + $b})": (THEIRS, "nothing reduced is undefined, not null"),
    "IN.o ~> |**|{}, 'a'|": (THEIRS, "members are removed wherever the pattern matches; ours stops at the first level"),
    "($x := 1; $f := function(){$x}; $x := 2; $f())": (THEIRS, "a function sees a variable as it is when called"),
    "'a'()": (THEIRS, "calling a string is an error at run time (T1006); ours refuses the definition"),
    "IN.nope ?: 'dflt'": (OURS, "an operator of version 2.1; AWS speaks 2.0.6 and refuses it"),
    "IN.nope ?? 'dflt'": (OURS, "an operator of version 2.1; AWS speaks 2.0.6 and refuses it"),
}
"""Expression → (who is right, why)."""


def _differing(expression: str) -> list[str]:
    source = written(expression)
    inputs = INPUTS if source != expression or "$states" in source else {"empty": INPUTS["empty"]}
    return [name for name, given in inputs.items() if not agree(ours(source, given), theirs(source, given))]


def test_the_corpus_is_large_enough() -> None:
    """At least 300 expressions are compared, each written once."""
    assert len(EXPRESSIONS) >= 300
    assert len(set(EXPRESSIONS)) == len(EXPRESSIONS)
    assert set(EXPRESSIONS) >= set(DIFFERENCES)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_engines_agree_or_the_difference_is_listed(expression: str) -> None:
    """Value, undefined, error code or refusal are the same in both engines on every input, but for the listed ones."""
    assert bool(_differing(expression)) == (expression in DIFFERENCES)
