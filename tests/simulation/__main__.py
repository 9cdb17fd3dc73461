"""`python -m tests.simulation --seeds N` plays seeds and shows what breaks; `--mutations` breaks things on purpose."""

import argparse
import sys
import time

from tests.simulation.mutations import MUTATIONS
from tests.simulation.seeds import Result, first_break, play, play_all

TRACE_LINES = 120


def main() -> int:
    """Exit code 0 when every seed holds (with `--mutations`: when every mechanism was missed)."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--mutation", default="none", choices=sorted(MUTATIONS), help="a mechanism to switch off")
    parser.add_argument("--mutations", action="store_true", help="switch off each in turn, up to --seeds seeds")
    parser.add_argument("--trace", action="store_true", help="print the whole trace of --first")
    options = parser.parse_args()
    if options.trace:
        return _trace(options.first, options.mutation)
    if options.mutations:
        return _mutations(options.first, options.seeds, options.jobs)
    return _seeds(options.first, options.seeds, options.mutation, options.jobs)


def _seeds(first: int, count: int, mutation: str, jobs: int) -> int:
    began = time.perf_counter()
    results: list[Result] = []
    broken: list[Result] = []
    for result in play_all(range(first, first + count), mutation, jobs):
        results.append(result)
        if result.violations:
            broken.append(result)
            print(f"seed {result.seed}: {result.violations[0]}", flush=True)
            if len(broken) >= 10:
                break
    seconds = time.perf_counter() - began
    children = sum(result.children for result in results)
    virtual = sum(result.virtual_seconds for result in results)
    print(
        f"{len(results)} seeds, {len(broken)} broken, {children} children, {virtual:.0f} virtual seconds, "
        f"{seconds:.1f} s, {len(results) / seconds:.0f} seeds/s with {jobs} processes"
    )
    if broken:
        print(f"\nthe end of seed {broken[0].seed} (all of it: --first {broken[0].seed} --trace):")
        shown = play(broken[0].seed, mutation, keep_trace=True)
        print("\n".join(line[:600] for line in shown.trace[-TRACE_LINES:]))
        print("\n".join(shown.violations))
    return 1 if broken else 0


def _trace(seed: int, mutation: str) -> int:
    result = play(seed, mutation, keep_trace=True)
    print("\n".join(line[:600] for line in result.trace))
    print("\n".join(result.violations) or "all invariants held", f"(trace {result.trace_hash})")
    return 1 if result.violations else 0


def _mutations(first: int, seeds_max: int, jobs: int) -> int:
    missed = 0
    for name in MUTATIONS:
        if name == "none":
            continue
        tried, result, seconds = first_break(name, first, seeds_max, jobs)
        what = "NOT FOUND" if result is None else f"seed {result.seed}: {result.violations[0].splitlines()[0][:150]}"
        print(f"{name:24s} {tried:5d} seeds {seconds:6.1f} s  {what}", flush=True)
        missed += result is None
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
