"""`python -m tests.fuzz --count 100000 --seed 1`: bends definitions and prints what became of all."""

import argparse
import collections
import sys
import time
import traceback

from tests.fuzz.corpus import definitions
from tests.fuzz.run import definition, tried


def main() -> int:
    """0 when nothing crashed; else the number of cases that did, each printed with its seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=10, help="stop after so many different crashes")
    given = parser.parse_args()
    documents, ends = definitions(), collections.Counter[str]()
    faults: dict[str, int] = {}
    began, slowest = time.perf_counter(), (0.0, 0)
    for seed in range(given.seed, given.seed + given.count):
        text = definition(seed, documents)
        try:
            outcome = tried(text, seed)
        except Exception as error:  # noqa: BLE001 - the fuzzer's business is to count whatever is raised
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {where.filename}:{where.lineno}"
            if kind not in faults:
                print(f"seed {seed}: {kind}: {str(error)[:200]}\n{text[:3000]!r}\n")
            faults[kind] = faults.get(kind, 0) + 1
            if len(faults) >= given.faults:
                break
            continue
        ends[outcome.ended] += 1
        slowest = max(slowest, (outcome.seconds, seed))
    seconds = time.perf_counter() - began
    print(f"{sum(ends.values()) + sum(faults.values())} definitions in {seconds:.0f} s: {dict(ends)}")
    print(f"slowest {slowest[0]:.2f} s (seed {slowest[1]}); crashes {faults}")
    return sum(faults.values())


if __name__ == "__main__":
    sys.exit(min(main(), 100))
