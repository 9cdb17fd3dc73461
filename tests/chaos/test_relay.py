"""The relay passes on what comes, and is cut, silent and mended when it is told."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.relay import Relay


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay before a server that says again what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while piece := connection.recv(100):
                connection.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    made = Relay()
    made.target_port = server.getsockname()[1]
    yield made
    made.close()
    server.close()


def connected(relay: Relay) -> socket.socket:
    """A connection through it."""
    return socket.create_connection(("127.0.0.1", relay.port), 5)


def asked(connection: socket.socket, said: bytes) -> bytes:
    """What is heard after something was said."""
    connection.sendall(said)
    return connection.recv(100)


def test_what_is_cut_is_reset_until_it_is_mended(relay: Relay) -> None:
    """Connections there are, and new ones, end at once; afterwards new ones pass."""
    with connected(relay) as one:
        assert asked(one, b"a") == b"a"
        relay.cut()
        with pytest.raises(ConnectionResetError):
            one.recv(100)
        with pytest.raises(ConnectionError), connected(relay) as two:
            asked(two, b"b")
    relay.mend()
    with connected(relay) as three:
        assert asked(three, b"c") == b"c"


def test_what_is_said_while_it_is_silent_comes_late(relay: Relay) -> None:
    """Nothing is lost, and the connection stays."""
    with connected(relay) as one:
        assert asked(one, b"a") == b"a"
        relay.silence()
        one.settimeout(0.3)
        with pytest.raises(TimeoutError):
            asked(one, b"b")
        relay.mend()
        one.settimeout(10)
        assert one.recv(100) == b"b"
