"""Rigs, thrown away when their test is over."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.scheduler.rig import Rig


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """Makes rigs and buries them."""
    made: list[Rig] = []

    def make(*given: Any, **over: Any) -> Rig:
        made.append(Rig(*given, **over))
        return made[-1]

    yield make
    for rig in made:
        rig.bury()
