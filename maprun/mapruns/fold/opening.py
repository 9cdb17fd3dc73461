"""Map Runs begin: opened, queued past the limit of open ones, or opened again by a redrive."""

import msgspec

from maprun.mapruns import redrives
from maprun.mapruns.fold import asking, closing, outputs
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import Root
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.limits import limits_under
from maprun.mapruns.quotas import first_quotas
from maprun.mapruns.run import ParentChild, Run, Tally, Verdict
from maprun.mapruns.verdicts import judge
from schemas import topics
from schemas.arns import auto_label, run_id
from schemas.effects import MapRunRedriven, MapRunStarted
from schemas.home import SUCCEEDED, LimitsTaken
from schemas.lanes import QuotaChanged, RunOpened
from schemas.plan import MapRunPlan

REDRIVES_CAUSE = "The Map Run was redriven {} times, which is the maximum."


def open_run(
    fold: Fold, root: Root, execution_arn: str, ref: str, plan: MapRunPlan, parent: ParentChild | None = None
) -> None:
    """A Map Run starts for an execution: a root, or (`parent`) a child of another run.

    Past the limit of open runs it waits, as on AWS, with MapRunStarted told. Nested runs never wait: their parents
    could be what keeps them waiting.
    """
    run = _made(fold, root, execution_arn, ref, plan, parent)
    fold.state.runs[run.run] = run
    root.open_runs += 1
    if parent is None:
        root.runs[ref] = run.run
        root.all_runs.append(run.run)
        fold.deliver(root.request.arn, MapRunStarted(ref, run.arn))
    _admit(fold, run)


def keep_unopened(fold: Fold, root: Root, execution_arn: str, ref: str, plan: MapRunPlan, parent: ParentChild) -> None:
    """A nested run that a child was told of when its own run closed already: over, but there for a redrive."""
    run = _made(fold, root, execution_arn, ref, plan, parent)
    root.kept[run.run] = run
    _over_at_once(fold, run)


def _made(fold: Fold, root: Root, execution_arn: str, ref: str, plan: MapRunPlan, parent: ParentChild | None) -> Run:
    request = root.request
    run_key = run_id(fold.state.home, execution_arn, ref)
    label = plan.label or auto_label(request.machine_arn, plan.state)
    concurrency = plan.max_concurrency or fold.limits.concurrency_default
    lanes, quotas = first_quotas(run_key, concurrency, fold.lanes)
    return Run(
        run=run_key,
        arn=fold.names.map_run(request.machine_name, label, run_key),
        label=label,
        root_arn=request.arn,
        execution_arn=execution_arn,
        ref=ref,
        plan=plan,
        definition=request.definition,
        machine_arn=request.machine_arn,
        machine_name=request.machine_name,
        role_arn=request.role_arn,
        started_ms=fold.state.now_ms,
        started_offset=fold.state.offset,
        concurrency=concurrency,
        lanes=lanes,
        quotas=quotas,
        parent=parent,
        generation_offset=fold.state.offset,
        logging=request.logging,
    )


def _admit(fold: Fold, run: Run) -> None:
    if run.parent is None and _room(fold) < 0:
        run.phase = "queued"
        fold.state.waiting.append(run.run)
        fold.outputs.append(outputs.RunChanged(run))
    else:
        _begin(fold, run)


def _room(fold: Fold) -> int:
    """How many more runs of root executions may be open on this home."""
    limit = max(1, fold.limits.open_runs_max // fold.homes)
    return limit - sum(run.parent is None and run.phase != "queued" for run in fold.state.runs.values())


def admit_waiting(fold: Fold) -> None:
    """A run is over: the one that waits longest begins."""
    while fold.state.waiting and _room(fold) > 0:
        run = fold.state.runs[fold.state.waiting.pop(0)]
        run.phase = "open"
        _begin(fold, run)


def limits_taken(fold: Fold, record: LimitsTaken) -> None:
    """Home is judged by other limits from here on: runs that wait and find room now begin.

    What is forgotten stays so under a longer retention: whose archive still holds it is left to chance.
    """
    fold.state.forgotten_ms = max(fold.state.forgotten_ms, fold.state.now_ms - fold.limits.retention_ms)
    fold.state.limits = record
    fold.limits = limits_under(fold.limits, record)
    admit_waiting(fold)


def _begin(fold: Fold, run: Run) -> None:
    """Its lanes are told, then its first items are asked for."""
    open_on_lanes(fold, run, dict(zip(run.lanes, run.quotas, strict=True)), ())
    if run.writes_results:
        fold.outputs.append(outputs.ExportDue(run.run))
    if run.unpinned and not run.source_over:
        asking.ask(fold, run, [])  # open the source and say its version: what is read must be of one version
    verdict = judge(run)
    if run.generation > fold.limits.redrives_max:
        verdict = Verdict("FAILED", "States.Runtime", REDRIVES_CAUSE.format(fold.limits.redrives_max))
    if verdict is not None:
        closing.close_run(fold, run, verdict)
    closing.go_on(fold, run)


def open_on_lanes(fold: Fold, run: Run, quotas: dict[int, int], known: tuple[int, ...]) -> None:
    """Tells lanes their quota of a run; those that are not `known` to have it hear of the run first."""
    signalled = msgspec.structs.replace(run.plan, items=b"", reader=None)
    root = fold.state.roots.get(run.root_arn)
    for lane, quota in sorted(quotas.items()):
        if lane in known:
            fold.send(topics.LANE_SIGNALS, lane, QuotaChanged(fold.cause, run.run, run.generation, quota))
            continue
        opened = RunOpened(
            fold.cause,
            run.run,
            run.generation,
            quota,
            signalled,
            run.definition,
            run.label,
            run.root_arn,
            run.arn,
            run.machine_arn,
            run.machine_name,
            run.role_arn,
            run.logging,
            "" if root is None else root.request.trace_header,
        )
        fold.send(topics.LANE_SIGNALS, lane, opened, arn=run.root_arn)


# ---------------------------------------------------------------------- redrive


def redrive_run(fold: Fold, root: Root, run: Run, generation: int = 0) -> None:
    """The unsuccessful children of a run that is over run again, then what its source still holds.

    `generation` is the next one unless given. Sources: pages redrive-map-run and redrive-executions of the AWS guide.
    """
    _next_generation(run, generation or run.generation + 1, fold)
    chosen, root.chosen = root.chosen, None
    if chosen is not None and chosen.run == run.run:
        redrives.choose(run, chosen)
    run.lanes, run.quotas = first_quotas(run.run, run.concurrency, fold.lanes)
    fold.state.runs[run.run] = run
    root.open_runs += 1
    if run.parent is None:
        fold.deliver(root.request.arn, MapRunRedriven(run.ref, run.arn, run.generation))
    _admit(fold, run)


def pass_over(fold: Fold, run: Run, generation: int) -> None:
    """A nested run is redriven when its child's own run closes already: a generation in which nothing is done."""
    _next_generation(run, generation, fold)
    _over_at_once(fold, run)


def _over_at_once(fold: Fold, run: Run) -> None:
    run.phase, run.verdict, run.stopped_ms = "closed", Verdict("ABORTED"), fold.state.now_ms
    fold.outputs.append(outputs.RunChanged(run))


def _next_generation(run: Run, generation: int, fold: Fold) -> None:
    """All that counts positions begins anew; what the generation leaves is carried over."""
    stages, carried = redrives.stages_to_come(run), redrives.carried_to_come(run)
    before, now = run.succeeded_before, run.count(SUCCEEDED)
    run.succeeded_before = Tally(before.children + now.children, before.items + now.items)
    if run.writes_results and not run.manifest_key and now.children:
        run.unwritten = (*run.unwritten, redrives.unwritten_stage(run, now.children))
    run.index_first += max(0, run.read - run.staged)
    run.source_over = run.source_over or (run.total is not None and not run.chosen)
    run.stages, run.carried = stages, carried
    run.chosen, run.aside, run.carried_aside = b"", (), {}
    if not run.index_first:
        run.pin, run.checkpoint = b"", b""  # nothing was ever read: the source may be read as it is now
    run.source_broken = False
    run.generation = generation
    run.generation_offset, run.redriven_ms, run.stopped_ms = fold.state.offset, fold.state.now_ms, 0
    run.phase, run.verdict, run.redrive_due = "open", None, 0
    run.asked = run.read = run.items_read = run.bytes_read = 0
    run.total = run.staged if run.source_over else None
    run.windows, run.asked_of, run.answered_of, run.answered = [], {}, {}, Intervals()
    run.counts, run.redriven_read, run.redriven_done = {}, Tally(), Tally()
    run.files, run.manifest_key, run.answered_offset = [], "", -1
    run.nested, run.outcomes = {}, {}
