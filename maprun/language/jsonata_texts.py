"""Bounds the texts that JSONata's `&` makes: an expression may join a text with itself again and again.

The engine ends an evaluation after a second, and in a second a text doubles to gigabytes. So each run of operands
joined by `&` is handed through a function that knows a limit. Nothing else in the expression changes.
"""

import re

GUARD = "joined__"
"""The name of the function that checks."""
_REPEATS = re.compile(r"function|λ|:=|~>|\.\.")
_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/)
      | (?P<function>(?:function\b|λ)\s*\([^()]*\)\s*(?:<[^{]*>)?)
      | (?P<operand>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\$*\w+|\$+)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<lower>:=|~>|!=|<=|>=|\?\?|\?:|\.\.|[,;:?=<>^|])
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_PATTERN = re.compile(r"/(?:[^/\\]|\\.)+/[a-z]*", re.DOTALL)
_WORDS = {"in", "and", "or"}


def guarded(source: str) -> str:
    """The expression with its joined texts checked; the same text where it cannot come to a place twice."""
    if "&" not in source or not _REPEATS.search(source):
        return source
    out: list[str] = []
    runs: list[tuple[int, bool]] = [(0, False)]  # for each open bracket: where the run of operands began, joined or not
    at, after_operand = 0, False

    def close_run() -> None:
        start, joined = runs.pop()
        if joined:
            out.insert(start, f"${GUARD}(")
            out.append(")")

    while at < len(source):
        found = None if after_operand else _PATTERN.match(source, at)
        if found is not None and not source.startswith("/*", at):
            kind = "operand"
        else:
            found = _TOKEN.match(source, at)
            assert found is not None
            kind = str(found.lastgroup)
        text, at = found.group(), found.end()
        if kind == "open":
            out.append(text)
            runs.append((len(out), False))
        elif kind == "close":
            close_run()
            if not runs:
                return source  # no expression: the engine says what is wrong
            out.append(text)
        elif kind == "lower" or (kind == "operand" and text in _WORDS and after_operand):
            close_run()
            out.append(text)
            runs.append((len(out), False))
            kind = "lower"
        else:
            if text == "&":
                runs[-1] = (runs[-1][0], True)
            out.append(text)
        if kind != "space":
            own = text in "*%" and not after_operand  # a wild card or a parent, not an operator
            after_operand = kind in {"operand", "close", "function"} or own
    if len(runs) != 1:
        return source
    close_run()
    return "".join(out)
