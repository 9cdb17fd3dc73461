"""Snapshots of a home: found when it is taken over, written beside the fold, swept when they are superseded."""

import msgspec

from maprun.bus.port import Outgoing, Port
from maprun.mapruns.fold.state import FOLD_VERSION, FOLD_VERSIONS_READ, HomeState, decode_state, encode_state
from schemas import topics
from schemas.snapshots import SnapshotChunk
from schemas.wire import Decoder, encode
from services.scheduler.deps import Deps
from services.scheduler.snapshot_pieces import FoundSnapshot, SnapshotPace, SnapshotSearch, cut_snapshot, snapshot_key

TOPIC = topics.HOME_SNAPSHOTS.name
SWEEP_RECORDS = 64
_decoder = Decoder(SnapshotChunk)


class Snapshots:
    """The snapshots of one home. The newest and the one before it are kept: the newest may be unreadable."""

    def __init__(self, port: Port, home: int, deps: Deps) -> None:
        self._port = port
        self._home = home
        self._deps = deps
        self._pieces_of: dict[tuple[int, int], int] = {}  # (offset, fold version) of each snapshot seen → its pieces
        self._unread = 0  # records of the topic below this were not looked at
        self._busy = False
        self.pace = SnapshotPace(deps.limits, port.monotonic())
        self._log_times_ms: list[int] = []  # of the snapshots that this owner wrote: the newest two

    @property
    def gone_on_from_ms(self) -> int:
        """The log time of the oldest snapshot that a successor may go on from, 0 when it isn't known."""
        return self._log_times_ms[0] if len(self._log_times_ms) > 1 else 0

    async def load(self) -> HomeState:
        """The state of the newest complete snapshot that can be read, or an empty one. Reads from the end.

        It may be one of the last version's: then home is folded on from there by this one's rules.
        """
        search = SnapshotSearch(self._home, FOLD_VERSIONS_READ, self._port.cluster)
        self._unread = await self._port.end_offset(TOPIC, self._home)
        while self._unread > 0:
            for piece in await self._read_back(self._deps.limits.snapshot_read_records):
                search.add(piece)
            while (found := search.newest()) is not None:
                state = self._decoded(found)
                if state is not None:
                    return state
                search.drop(found)
        return HomeState(home=self._home)

    async def _read_back(self, count: int) -> list[SnapshotChunk]:
        """The pieces among the last `count` records that were not looked at yet."""
        first = max(0, self._unread - count)
        records = await self._port.read(TOPIC, self._home, first, self._unread)
        self._unread = first
        pieces = []
        for record in records:
            if record.value is None:
                continue
            try:
                piece = _decoder.decode(record.value)
                pieces.append(piece)
                snapshot = (piece.offset, piece.version)
                self._pieces_of[snapshot] = max(self._pieces_of.get(snapshot, 0), piece.chunks)
            except msgspec.DecodeError:
                self._deps.metrics.unreadable(TOPIC, self._home, record.offset)
        return pieces

    def _decoded(self, found: FoundSnapshot) -> HomeState | None:
        try:
            return decode_state(found.state, self._deps.interpreter)
        except msgspec.DecodeError:
            self._deps.metrics.unreadable(TOPIC, self._home, found.offset)
            return None

    def write(self, state: HomeState) -> None:
        """Begins to write a snapshot; what follows from the records up to it must be acknowledged. One at a time."""
        if self._busy:
            return
        self._busy = True
        data = encode_state(state, self._deps.interpreter)
        bytes_max, cluster = self._deps.limits.snapshot_chunk_bytes_max, self._port.cluster
        pieces = cut_snapshot(self._home, state.offset, FOLD_VERSION, data, bytes_max, cluster)
        size = sum(len(piece.body) for piece in pieces)
        self.pace.written(self._port.monotonic(), size)
        self._port.spawn(self._write(state.offset, state.now_ms, pieces, size))

    async def _write(self, offset: int, log_ms: int, pieces: list[SnapshotChunk], size: int) -> None:
        for piece in pieces:
            key = snapshot_key(self._home, offset, FOLD_VERSION, piece.chunk)
            await self._port.send([Outgoing(TOPIC, self._home, encode(piece), key)])
        self._deps.metrics.snapshot_written(self._home, size)
        while self._unread > 0:  # what lies before the snapshot this owner began with is superseded
            await self._read_back(SWEEP_RECORDS)
        self._pieces_of[offset, FOLD_VERSION] = len(pieces)
        await self._sweep()
        self._log_times_ms = [*self._log_times_ms[-1:], log_ms]
        self._busy = False

    async def _sweep(self) -> None:
        """Tombstones for all but the two newest snapshots: compaction by key alone would keep every one for ever."""
        for offset, version in sorted(self._pieces_of)[:-2]:
            superseded = range(self._pieces_of.pop((offset, version)))
            keys = [snapshot_key(self._home, offset, version, chunk) for chunk in superseded]
            await self._port.send([Outgoing(TOPIC, self._home, None, key) for key in keys])
