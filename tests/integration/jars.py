"""Kafka's jars, fetched once for the checkout and not once a broker."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / ".maprun" / "kafka" / "libs"


def share_jars(state: Path) -> None:
    """Has a state folder use the checkout's jars: whoever starts a broker first fetches them for all."""
    mine = state / "kafka" / "libs"
    if not mine.exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.symlink_to(FETCHED)
