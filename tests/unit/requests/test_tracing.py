"""Which executions are traced."""

from maprun.requests.tracing import SAMPLED_SHARE, Tracer
from schemas.traces import root_of, trace_of

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
ON, OFF = b'{"enabled":true}', b'{"enabled":false}'


def test_without_tracing_a_header_is_passed_on() -> None:
    """As it is, or as none."""
    for configuration in (b"", OFF, b'{"enabled": false}'):
        for given in ("", "whatever", f"Root={ROOT};Sampled=1"):
            assert Tracer().header(given, configuration, "arn", 1_000) == given


def test_who_started_it_has_decided() -> None:
    """Trace, parent and decision are the caller's; where it left that open it is decided here."""
    tracer = Tracer()
    for given in (f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0", f"Root={ROOT};Sampled=1"):
        assert tracer.header(given, ON, "arn", 1_000) == given
    assert tracer.header(f"Root={ROOT};Sampled=?", ON, "arn", 1_000) == f"Root={ROOT};Sampled=1"


def test_an_execution_without_a_trace_gets_one() -> None:
    """Of its own; what is no header is none."""
    for given in ("", "Root=1-2-3"):
        assert Tracer().header(given, ON, "arn", 1_000) == f"Root={root_of('arn', 1_000)};Sampled=1"


def test_the_first_of_each_second_is_recorded_and_a_share_of_the_others() -> None:
    """X-Ray's default rule."""
    tracer = Tracer()

    def sampled(arn: str, at_ms: int) -> bool:
        trace = trace_of(tracer.header("", ON, arn, at_ms))
        assert trace is not None
        return bool(trace.sampled)

    assert [sampled(f"a{n}", n * 1_000) for n in range(20)] == [True] * 20
    share = sum(sampled(f"b{n}", 100_000) for n in range(20_000)) / 20_000
    assert SAMPLED_SHARE * 0.8 < share < SAMPLED_SHARE * 1.2
