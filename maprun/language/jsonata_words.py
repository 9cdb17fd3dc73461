"""What a failed evaluation says: the engine's messages in the words of JSONata 2.0.6, and AWS's own for its limits."""

import re
from collections.abc import Iterable

from maprun.language.jsonata_functions import MEMORY, TIMEOUT
from maprun.language.jsonata_tokens import shown

STACK = "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive."
_HOST = re.compile(r"^host function raised \w+: ")
_CODED = re.compile(r"^([A-Z]\d{4}): (.*)$", re.DOTALL)
_LIMITS = {"D1011": STACK, "D1012": TIMEOUT, "D2014": MEMORY, "D2015": MEMORY}
_FIXED = {
    "D1004": "Regular expression matches zero length string",
    "T1006": "Attempted to invoke a non-function",
    "T1008": "Attempted to partially apply a non-function",
    "T2003": "The left side of the range operator (..) must evaluate to an integer",
    "T2004": "The right side of the range operator (..) must evaluate to an integer",
    "T2006": "The right side of the function application operator ~> must be a function",
    "T2008": "The expressions within an order-by clause must evaluate to numeric or string values",
    "D3001": "Attempting to invoke string function on Infinity or NaN",
    "D3010": "Second argument of replace function cannot be an empty string",
    "D3011": "Fourth argument of replace function must evaluate to a positive number",
    "D3012": "Attempted to replace a matched string with a non-string value",
    "D3020": "Third argument of split function must evaluate to a positive number",
    "D3040": "Third argument of match function must evaluate to a positive number",
    "D3050": "The second argument of reduce function must be a function with at least two arguments",
    "D3070": (
        "The single argument form of the sort function can only be applied to an array of strings or an array of "
        "numbers.  Use the second argument to specify a comparison function"
    ),
    "D3080": "The picture string must only contain a maximum of two sub-pictures",
    "D3081": "The sub-picture must not contain more than one instance of the 'decimal-separator' character",
    "D3082": "The sub-picture must not contain more than one instance of the 'percent' character",
    "D3083": "The sub-picture must not contain more than one instance of the 'per-mille' character",
    "D3084": "The sub-picture must not contain both a 'percent' and a 'per-mille' character",
    "D3085": (
        "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit "
        "character' or a member of the 'decimal digit family'"
    ),
    "D3086": (
        "The sub-picture must not contain a passive character that is preceded by an active character and that is "
        "followed by another active character"
    ),
    "D3087": (
        "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a "
        "'decimal-separator' character"
    ),
    "D3088": "The sub-picture must not contain a 'grouping-separator' at the end of the integer part",
    "D3089": "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character",
    "D3090": (
        "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed "
        "by an instance of the 'optional digit character'"
    ),
    "D3091": (
        "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that is "
        "followed by a member of the 'decimal digit family'"
    ),
    "D3092": (
        "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an "
        "'exponent-separator'"
    ),
    "D3093": (
        "The exponent part of the sub-picture must comprise only of one or more characters that are members of the "
        "'decimal digit family'"
    ),
    "D3131": "In a decimal digit pattern, all digits must be from the same decimal group",
    "D3134": "The timezone integer format specifier cannot have more than four digits",
    "D3135": "No matching closing bracket ']' in date/time picture string",
    "D3136": "The date/time picture string is missing specifiers required to parse the timestamp",
    "D3138": "The $single() function expected exactly 1 matching result.  Instead it matched more.",
    "D3139": "The $single() function expected exactly 1 matching result.  Instead it matched 0.",
}
_OPERAND = re.compile(r'^The (left|right) side of the "?(\S+?)"? operator must evaluate to a number')
_ARGUMENT = re.compile(r"^Argument (\d+)(?! of function)")
_COUNT = re.compile(r"^Argument count mismatch: expected (\d+), got (\d+)")
_ELEMENTS = {"Number": "numbers", "String": "strings", "Object": "objects", "Array": "arrays", "Boolean": "booleans"}
_FILLED: dict[str, tuple[re.Pattern[str], str]] = {
    "D1002": (re.compile(r"^Cannot negate"), "Cannot negate a non-numeric value"),
    "D3030": (re.compile(r"^Cannot convert '(.*)' to number$", re.DOTALL), "Unable to cast value to a number: {}"),
    "D3100": (
        re.compile(r"^Radix .* got (.+)$"),
        "The radix of the formatBase function must be between 2 and 36.  It was given {}",
    ),
    "D3130": (
        re.compile(r"^(\S+)$"),
        "Formatting or parsing an integer as a sequence starting with {} is not supported by this implementation",
    ),
    "D3132": (re.compile(r"^(\S+)$"), "Unknown component specifier {} in date/time picture string"),
}
"""By code, how the engine says it and how the reference does; `{}` is what the engine names, as JSON."""
_BARE = ("D3100",)
"""Where that is a number."""


def words(message: str, called: Iterable[str], operators: Iterable[str] = ()) -> str:
    """How a cause goes on after "threw an error during evaluation".

    The engine leaves out which function or comparison failed: it is named where the expression has only one such, of
    `called` and of `operators`.
    """
    found = _CODED.match(_HOST.sub("", message))
    if found is None:
        return f": {_HOST.sub('', message)}"
    code, text = found.groups()
    if code in _LIMITS:
        return f": {_LIMITS[code]}"
    return f". {code}: {_FIXED[code] if code in _FIXED else _filled(code, text, set(called), set(operators))}"


def _filled(code: str, text: str, called: set[str], operators: set[str]) -> str:
    if code in _FILLED:
        pattern, said = _FILLED[code]
        named = pattern.match(text)
        return said.format(*(one if code in _BARE else shown(one) for one in named.groups())) if named else text
    if code in ("T2001", "T2002") and (operand := _OPERAND.match(text)):
        return f'The {operand.group(1)} side of the "{operand.group(2)}" operator must evaluate to a number'
    if code == "T2010" and len(operators) == 1:
        return f'The expressions either side of operator "{min(operators)}" must evaluate to numeric or string values'
    if code in ("T0410", "T0412") and len(called) == 1:
        return _argument(code, text, min(called))
    return text


def _argument(code: str, text: str, name: str) -> str:
    """A function's argument that is missing, too much or of a wrong type."""
    if count := _COUNT.match(text):
        expected, given = map(int, count.groups())
        return f'Argument {min(expected or 1, given) + 1} of function "{name}" does not match function signature'
    argument = _ARGUMENT.match(text)
    if argument is None or "function signature" in text:
        return text
    if code == "T0410":
        return f'Argument {argument.group(1)} of function "{name}" does not match function signature'
    kind = _ELEMENTS.get(text.rsplit(" ", 1)[-1])
    return f'Argument {argument.group(1)} of function "{name}" must be an array of "{kind}"' if kind else text
