"""Tests run in another order each time, so that none leans on the one before; the seed is printed and can be given."""

import os
import random

import hypothesis
import pytest

SEED_NAME = "MAPRUN_TEST_SEED"


def pytest_configure(config: pytest.Config) -> None:
    """Draws the order's seed, or takes the one given; no property fails because the machine is busy."""
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("untimed")
    config.stash[_seed] = int(os.environ.get(SEED_NAME) or random.SystemRandom().randrange(1 << 32))


def pytest_report_header(config: pytest.Config) -> str:
    """Says how to get the same order again."""
    return f"test order: {SEED_NAME}={config.stash[_seed]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffles the modules, and the tests within each: a module's fixtures are still made once."""
    chance = random.Random(config.stash[_seed])
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    names = sorted(modules)
    chance.shuffle(names)
    for name in names:
        chance.shuffle(modules[name])
    items[:] = [item for name in names for item in modules[name]]


_seed = pytest.StashKey[int]()
