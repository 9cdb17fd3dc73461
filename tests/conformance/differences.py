"""Where a recorded history and one made here differ, in lines of text."""

import json
import re
from collections.abc import Iterator
from typing import Any

NOT_COMPARED = {"timestamp", "roleArn", "lastEventTimestamp"}
ANYTHING = re.compile(r"<[^<>\n]{1,60}>|111111111111")
"""What stands for anything in a recorded text: `<name>`, and the account in which the recordings were made."""
_MAYBE_JSON = '[{"tfn-0123456789'
_SHOWN_LENGTH_MAX = 300


def differences(recorded: Any, made: Any, where: str = "") -> Iterator[str]:
    """One line per difference; nothing when the two agree. JSON within texts is compared by value."""
    if _texts_agree(recorded, made):
        return
    recorded, made = _decoded(recorded), _decoded(made)
    if isinstance(recorded, dict) and isinstance(made, dict):
        for key in sorted((recorded.keys() | made.keys()) - NOT_COMPARED):
            place = f"{where}.{key}"
            if key not in made:
                yield f"{place}: missing, recorded {_shown(recorded[key])}"
            elif key not in recorded:
                yield f"{place}: not in the record, made {_shown(made[key])}"
            else:
                yield from differences(recorded[key], made[key], place)
    elif isinstance(recorded, list) and isinstance(made, list):
        for at, (theirs, ours) in enumerate(zip(recorded, made, strict=False)):
            yield from differences(theirs, ours, f"{where}[{at}]")
        if len(recorded) != len(made):
            yield f"{where}: {len(made)} entries, recorded {len(recorded)}"
    elif isinstance(recorded, bool) != isinstance(made, bool) or recorded != made:
        yield f"{where}: {_shown(made)}, recorded {_shown(recorded)}"


def _texts_agree(recorded: Any, made: Any) -> bool:
    if not isinstance(recorded, str) or not isinstance(made, str):
        return False
    if recorded == made:
        return True
    parts = ANYTHING.split(recorded)
    return len(parts) > 1 and re.fullmatch(".*?".join(map(re.escape, parts)), made, re.DOTALL) is not None


def _decoded(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in _MAYBE_JSON or not value:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:_SHOWN_LENGTH_MAX]
