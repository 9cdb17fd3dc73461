"""Open streams are bounded: those unused longest give way, one that is being read never does."""

from services.item_reader.open_streams import OpenStreams


class Stream:
    """A holder that notes when it gives way."""

    def __init__(self, streams: OpenStreams) -> None:
        self.streams = streams
        self.busy = False
        self.open = True

    def give_way(self) -> None:
        """Closes."""
        self.open = False
        self.streams.closed(self)


def test_the_one_unused_longest_gives_way() -> None:
    """Above the limit it is not the oldest that goes, but the one that was read least lately."""
    streams = OpenStreams(2)
    a, b, c = Stream(streams), Stream(streams), Stream(streams)
    for each in (a, b, a, c):
        streams.used(each)
    assert ([a.open, b.open, c.open], len(streams)) == ([True, False, True], 2)


def test_a_stream_that_is_read_stays_and_nobody_waits() -> None:
    """Busy ones are beyond the limit; once they rest, the next use of any closes as many as are too many."""
    streams = OpenStreams(1)
    a, b, c = Stream(streams), Stream(streams), Stream(streams)
    a.busy = b.busy = True
    for each in (a, b, c):
        streams.used(each)
    assert ([a.open, b.open, c.open], len(streams)) == ([True, True, True], 3)
    a.busy = b.busy = False
    streams.used(c)
    assert ([a.open, b.open, c.open], len(streams)) == ([False, False, True], 1)
