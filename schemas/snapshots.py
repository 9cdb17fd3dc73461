"""Snapshots of a home's fold, cut into records of the compacted topic `home-snapshots`."""

from schemas.wire import Fact


class SnapshotChunk(Fact, frozen=True):
    """One piece of the fold's state as of the record at `offset`. Key: "home|offset|version|chunk".

    Complete with all `chunks` pieces of one `digest`; the bodies joined are zstd of the encoded state. The value is a
    function of its key: whoever snapshots the same offset writes the same.
    """

    home: int
    offset: int
    version: int
    chunk: int
    chunks: int
    digest: bytes
    body: bytes
    cluster: str = ""  # of whose logs it is; one of others says nothing of these
