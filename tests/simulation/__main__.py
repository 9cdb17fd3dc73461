"""`python -m tests.simulation --seeds N` plays seeds and shows what breaks; `--mutations` breaks things on purpose."""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.mutations import MUTATIONS
from tests.simulation.seeds import Result, first_break, play, play_all, record_seeds, recorded_seeds

TRACE_LINES = 120


def main() -> int:
    """Exit code 0 when every seed holds (with `--mutations`: when every mechanism is missed by its recorded seed)."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--mutation", default="none", choices=sorted(MUTATIONS), help="a mechanism to switch off")
    parser.add_argument("--mutations", action="store_true", help="switch off each in turn, up to --seeds seeds each")
    parser.add_argument("--record", action="store_true", help="with --mutations: record the seeds that are found")
    parser.add_argument("--trace", action="store_true", help="print the whole trace of --first")
    options = parser.parse_args()
    if options.trace:
        return _trace(options.first, options.mutation)
    if options.mutations:
        names = [options.mutation] if options.mutation != "none" else [name for name in MUTATIONS if name != "none"]
        return _mutations(names, options.seeds, options.jobs, record=options.record)
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


def _mutations(names: list[str], seeds_max: int, jobs: int, *, record: bool) -> int:
    recorded = recorded_seeds()
    seeds: dict[str, int] = {}
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(first_break, names, [seeds_max] * len(names))
        for name, (tried, result, seconds) in zip(names, found, strict=True):
            what = "NOT FOUND"
            if result is not None:
                seeds[name] = result.seed
                what = f"seed {result.seed}: {result.violations[0].splitlines()[-1][:150]}"
            print(f"{name:24s} {tried:5d} seeds {seconds:6.1f} s  {what}", flush=True)
    moved = sorted(name for name, seed in seeds.items() if recorded.get(name) != seed)
    if record:
        record_seeds(seeds)
    print(f"{len(names) - len(seeds)} not found, {len(moved)} by another seed than is recorded: {', '.join(moved)}")
    return 1 if len(seeds) < len(names) or (moved and not record) else 0


if __name__ == "__main__":
    sys.exit(main())
