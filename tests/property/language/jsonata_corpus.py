"""Expressions of every part of JSONata, and the documents they are tried on. `IN` stands for `$states.input`."""

import pathlib
from typing import Any

INPUTS: dict[str, Any] = {
    "order": {
        "Account": {
            "Name": "Firefly",
            "Order": [
                {
                    "OrderID": "o103",
                    "Product": [
                        {"Name": "Bowler Hat", "SKU": "0406654608", "Price": 34.45, "Quantity": 2, "Colour": "Purple"},
                        {"Name": "Trilby hat", "SKU": "0406634348", "Price": 21.67, "Quantity": 1, "Colour": "Orange"},
                    ],
                },
                {
                    "OrderID": "o104",
                    "Product": [
                        {"Name": "Bowler Hat", "SKU": "040657863", "Price": 34.45, "Quantity": 4, "Colour": "Purple"},
                        {"Name": "Cloak", "SKU": "0406654603", "Price": 107.99, "Quantity": 1, "Colour": "Black"},
                    ],
                },
            ],
        },
    },
    "plain": {
        "n": [5, 3, -1.5, 8, 3],
        "s": ["pear", "apple", "fig", "Äpfel"],
        "m": [[1, 2], [3, [4]], []],
        "t": "Hello, World",
        "u": "añb\U0001f600c",
        "b": [True, False],
        "z": None,
        "o": {"a": 1, "b": {"a": 2, "c": [{"a": 3}, {"a": [4, 5]}]}},
        "p": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3}],
        "d": "2018-09-30T12:34:56.789Z",
        "e": [],
        "f": {},
        "i": 42,
        "r": "abc123def45",
    },
    "empty": {},
    "list": [{"a": 1, "t": "one"}, {"a": 2, "t": "two"}, {"b": 3}],
}

_TEXT = (pathlib.Path(__file__).parent / "jsonata_corpus.txt").read_text()
EXPRESSIONS: list[str] = [line for line in _TEXT.splitlines() if line and not line.startswith("## ")]
"""One expression a line; a line that begins with `## ` names the part of the language that follows."""


def written(expression: str) -> str:
    """The expression as a definition would hold it."""
    return expression.replace("IN", "$states.input") if "IN" in expression else expression
