"""Definitions as AWS and its users publish them validate, deployed as they are with their placeholders filled in."""

from pathlib import Path

import pytest

from maprun.cli.definitions import read_machines
from maprun.language import compile_machine, examine
from schemas.arns import Names

FOLDER = Path(__file__).parent / "definitions"
VALUES = {
    "Account": "123456789012",
    "Bucket": "bucket",
    "Crawlers": '["a", "b"]',
    "Function": "arn:aws:lambda:us-east-1:123456789012:function:echo",
    "Group": "sg-1",
    "Machine": "arn:aws:states:us-east-1:123456789012:stateMachine:other",
    "Params": "",
    "Partition": "aws",
    "Region": "us-east-1",
    "Role": "arn:aws:iam::123456789012:role/any",
    "Seconds": "7200",
    "Topic": "arn:aws:sns:us-east-1:123456789012:topic",
}


@pytest.mark.parametrize(
    "path", sorted(path for path in FOLDER.iterdir() if path.name != "README.md"), ids=lambda p: p.stem
)
def test_a_published_definition_validates(path: Path) -> None:
    """Without an error, and without a warning of what can't run yet."""
    text = path.read_text(encoding="utf-8")
    given = {name: value for name, value in VALUES.items() if f"${{{name}}}" in text}
    (machine,) = read_machines(path, given, Names())
    definition = machine.definition.encode()
    examined = examine(definition)
    assert [found.line for found in examined.errors] == []
    compile_machine(definition)
    assert examined.warnings == []
