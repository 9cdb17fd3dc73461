"""Compares generated paths with JsonPath 2.0.0: `python -m tests.property.jsonpath --pairs 100000 --seed 1`."""

import argparse
import sys

from tests.property.jsonpath.comparison import compare

SHOWN = 20


def main() -> int:
    """Prints the tally; 1 when a pair differs that isn't meant to."""
    parser = argparse.ArgumentParser(description="compare maprun's paths with JsonPath 2.0.0's")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tally = compare(given.pairs, given.seed)
    print(
        f"{tally.pairs} pairs, seed {given.seed}: " + ", ".join(f"{n} {kind}" for kind, n in tally.kinds.most_common())
    )
    for name, count in tally.meant.most_common():
        print(f"meant to differ: {count} {name}")
    print(f"{len(tally.disagreements)} disagree")
    print("\n".join(tally.disagreements[:SHOWN]))
    return 1 if tally.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
