"""What has happened so far to children that run, for those who ask for it. Pure.

Nothing is kept for it: who asks is answered from what a running child holds anyway, and from the pages it has.
"""

from collections.abc import Mapping

from schemas.history_pages import ChildHistoryShown
from schemas.lanes import ChildHistoryAsked
from services.child_runner.histories import Histories
from services.child_runner.lane_run import Child, LaneRun


class ShownHistories:
    """Questions that are not answered yet."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._asked: list[ChildHistoryAsked] = []

    def ask(self, asked: ChildHistoryAsked) -> None:
        """Somebody asks for the history of a child."""
        self._asked.append(asked)

    @property
    def waiting(self) -> bool:
        """True while there are questions."""
        return bool(self._asked)

    def take(self, runs: Mapping[str, LaneRun]) -> list[ChildHistoryShown]:
        """The answers that can be given now; of a child whose pages are on their way they come behind these."""
        answers: list[ChildHistoryShown] = []
        asked, self._asked = self._asked, []
        for one in asked:
            run = runs.get(one.run)
            child = run.child(one.index) if run is not None and run.key[1] == one.generation else None
            if run is None or child is None:
                answers.append(ChildHistoryShown(one.run, one.request_id))
            elif child.past is not None or not self._histories.fits(run, child):
                self._asked.append(one)
            else:
                answers.append(self._shown(one, run, child))
        return answers

    def _shown(self, asked: ChildHistoryAsked, run: LaneRun, child: Child) -> ChildHistoryShown:
        pages = () if child.history is None else tuple(child.history.pages)
        return ChildHistoryShown(asked.run, asked.request_id, pages, run.machine.pack(child.events))
