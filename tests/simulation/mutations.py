"""Mechanisms that a simulation switches off one at a time; each is missed by a seed in `mutation_seeds.json`.

A change of the services or of the simulator may move what a seed shows: `python -m tests.simulation --mutations
--record` seeks anew where it did.

Not listed, as no seed misses them while a table proves itself: that a mark is written last, and that a block keeps the
earliest answer. They save work (a table that is folded again) and are a second net.

Nothing in the services is edited for it, and nothing there knows of it: a mutation wraps the port that owners see, sets
other limits, or puts another handler into the fold's table while a seed plays.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.mapruns.fold import home as fold_of_home
from maprun.mapruns.fold.context import Fold
from schemas import topics
from schemas.home import (
    CallbackReceived,
    ChildrenEnded,
    LimitsTaken,
    NestedRunRequested,
    OutputRefused,
    ParentSubmissionBegan,
    RedriveRequested,
    ResultFileOpened,
)
from schemas.starters import StartWithdrawn
from services.child_runner.limits import LaneLimits
from services.maprun_tracker.api.commands import Command, answer_to
from tests.simulation import tampering, tampering_express, tampering_lanes, tampering_requests
from tests.simulation.doors import AnswerTo
from tests.simulation.plays import Play
from tests.simulation.port import SimPort
from tests.simulation.scenario import Scenario
from tests.simulation.tampering import ArchivesNothing, CommitsAhead, GoesOnFromCommit, SignalsUnacknowledged, only
from tests.simulation.tampering_lanes import journal_read
from tests.simulation.tracker import unproven
from tests.simulation.work import Headlong, SimPace

if TYPE_CHECKING:
    from tests.simulation.house import House

Wrap = Callable[[SimPort], Any]


def _source_changes(play: Play) -> bool:
    return play.changes_at is not None


def _redriven(play: Play) -> bool:
    return bool(play.redrives)


def _nests(play: Play) -> bool:
    return play.nest is not None


def _updated(play: Play) -> bool:
    return any(update.concurrency is not None for update in play.updates)


def _starts(play: Play) -> bool:
    return play.starts


def _worked_on(play: Play) -> bool:
    return play.activities and play.before


def _hangs(play: Play) -> bool:
    return play.starts and (play.hangs or play.stop_at is not None)


def _too_large(play: Play) -> bool:
    return play.plan_too_large


def _long(play: Play) -> bool:
    return play.long_root > 0 or play.long_child > 0


def _waits_for_callbacks(play: Play) -> bool:
    return play.callbacks


def _unbounded(*names: str) -> Callable[[LaneLimits], LaneLimits]:
    """Limits of a lane without these bounds."""
    return lambda limits: msgspec.structs.replace(limits, **dict.fromkeys(names, 1 << 40))


def _reads(topic: topics.Topic, change: Callable[[bytes], bytes]) -> Wrap:
    return lambda port: tampering.ReadsOtherwise(port, topic.name, change)


class Mutation(msgspec.Struct, frozen=True):
    """What is switched off."""

    name: str = "none"
    storm: str = ""  # seeds that are a storm over this service are the likeliest to show it; "" = any
    family: str = ""  # or those of this family
    lane_limits: Callable[[LaneLimits], LaneLimits] = lambda limits: limits
    pace: type[SimPace] = SimPace
    wrap: Wrap = lambda port: port
    handlers: tuple[tuple[type, Callable[[Fold, Any], None]], ...] = ()
    recovered: Callable[[int, dict[bytes, bytes]], None] = lambda _home, _table: None
    attempted: Callable[[Command, int], Command] = lambda command, _attempt: command
    answer_to: Callable[["House"], AnswerTo] = lambda _house: answer_to
    needs: Callable[[Play], bool] = lambda _play: True  # and those with a play like this

    def likely(self, scenario: Scenario) -> bool:
        """True for a seed that is likely to show what is missing."""
        if self.family and scenario.family != self.family:
            return False
        return (not self.storm or scenario.storm == self.storm) and any(self.needs(play) for play in scenario.plays)

    def port(self, port: SimPort) -> Any:
        """The port that owners see."""
        return self.wrap(port)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While a seed plays."""
        table = fold_of_home._HANDLERS
        before = dict(table)
        table.update(self.handlers)
        try:
            yield
        finally:
            table.update(before)


def _of_lanes(name: str, wrap: Wrap) -> Mutation:
    """One of the child-runner's mechanisms."""
    return Mutation(name, "child-runner", wrap=only("child-runner", wrap))


def _of_express(name: str, wrap: Wrap) -> Mutation:
    """One of the mechanisms of EXPRESS root executions."""
    return Mutation(name, wrap=only("child-runner-express", wrap))


NONE = Mutation()
MUTATIONS = {
    m.name: m
    for m in (
        NONE,
        _of_lanes("fence", tampering_lanes.NoFence),
        _of_lanes("lease", tampering_lanes.NoLease),
        _of_lanes("read_back", tampering_lanes.ActsOnAcknowledgement),
        _of_lanes("done_set", journal_read(tampering_lanes.nothing_finished)),
        _of_lanes("position_in_journal", tampering_lanes.ItemsFromCommit),
        _of_lanes("write_ahead", tampering_lanes.OutcomesUnwritten),
        _of_lanes("snapshot_whole", journal_read(tampering_lanes.each_piece_whole)),
        _of_lanes("copy_forward", tampering_lanes.AdoptsOnce),
        _of_lanes("trim_behind", tampering_lanes.DeletesWhatWasRead),
        *(_of_express(name, wrap) for name, wrap in tampering_express.WRAPS.items()),
        _of_express("express_commit_behind_work", CommitsAhead),
        _of_express("express_lease", tampering_lanes.NoLease),
        Mutation("cluster_beside_positions", wrap=tampering.TrustsLeftovers),
        Mutation("archived_before_forgotten", wrap=only("scheduler", ArchivesNothing)),
        Mutation("rows_archived_before_forgotten", wrap=only("maprun-tracker", ArchivesNothing)),
        Mutation("lane_quota", wrap=_reads(topics.LANE_SIGNALS, tampering.double_quota)),
        Mutation("signals_before_asks", wrap=SignalsUnacknowledged),
        Mutation("commit_behind_work", wrap=CommitsAhead),
        Mutation("first_answer_wins", "child-runner", handlers=((ChildrenEnded, tampering.last_answer_wins),)),
        Mutation("source_pinned", wrap=_reads(topics.ITEM_ASKS, tampering.forget_pin), needs=_source_changes),
        Mutation("listing_confirmed", wrap=_reads(topics.ITEM_ASKS, tampering.hide_listing)),
        Mutation("first_upload_wins", family="uploads", handlers=((ResultFileOpened, tampering.last_upload_wins),)),
        Mutation("table_proves_itself", family="zombies", recovered=unproven),
        Mutation("mark_is_the_position", "maprun-tracker", wrap=only("maprun-tracker", GoesOnFromCommit)),
        Mutation(
            "stage_skips",
            family="stages",
            wrap=_reads(topics.ITEM_ASKS, tampering.stages(tampering.skip_nothing)),
        ),
        Mutation(
            "children_have_indexes",
            wrap=only("child-runner", _reads(topics.ITEMS, tampering.without_indexes)),
            needs=_redriven,
        ),
        Mutation(
            "finished_by_generation",
            wrap=only("child-runner", journal_read(tampering_lanes.finished_for_ever)),
            needs=_redriven,
        ),
        Mutation("redrive_once", family="repeats", handlers=((RedriveRequested, tampering.forget_redrives),)),
        Mutation("outcomes_kept", handlers=((NestedRunRequested, tampering.forget_outcomes),), needs=_nests),
        Mutation("nested_kept", handlers=((ChildrenEnded, tampering.keep_no_nested),), needs=_nests),
        Mutation(
            "quotas_heard",
            wrap=only("child-runner", _reads(topics.LANE_SIGNALS, tampering.hide_quotas)),
            needs=_updated,
        ),
        Mutation("slices", pace=Headlong, needs=_long),
        Mutation("journal_bounded", lane_limits=_unbounded("journal_bytes_max", "journal_facts_max"), family="bursts"),
        Mutation("frames_bounded", lane_limits=_unbounded("frame_bytes_max", "frame_children_max"), family="bursts"),
        Mutation(
            "histories_bounded", lane_limits=_unbounded("history_page_bytes_max", "entry_bytes_max"), family="histories"
        ),
        Mutation("refusals_heard", handlers=((OutputRefused, tampering.ignore),), needs=_too_large),
        Mutation("limits_kept", family="other limits", handlers=((LimitsTaken, tampering.keep_no_limits),)),
        Mutation("units_stay_with_debt", handlers=((ChildrenEnded, tampering.move_units_at_once),), family="debts"),
        Mutation(
            "submitted_by_one_owner",
            "child-runner",
            wrap=only("child-runner", journal_read(tampering_lanes.no_submissions)),
            needs=_waits_for_callbacks,
        ),
        Mutation(
            "submitted_by_one_scheduler",
            "scheduler",
            handlers=((ParentSubmissionBegan, tampering.grant_everybody),),
            needs=_waits_for_callbacks,
        ),
        Mutation(
            "first_worker_has_it",
            "scheduler",
            handlers=((CallbackReceived, tampering_requests.give_to_every_worker),),
            needs=_worked_on,
        ),
        Mutation("started_by_attempt", attempted=tampering_requests.under_a_name_of_its_own, needs=_starts),
        Mutation("withdrawn_for_good", handlers=((StartWithdrawn, tampering_requests.stop_what_runs),), needs=_hangs),
        Mutation("answered_behind_the_fold", answer_to=tampering_requests.on_acknowledgement),
        Mutation("attempts_are_one_request", attempted=tampering_requests.under_an_id_of_its_own),
        Mutation("requests_once", handlers=tampering_requests.FORGETFUL),
    )
}
