"""The parts of the local stack as data: how each is started, when it is ready, what it waits for."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from maprun.local import kafka, seaweedfs, statefile
from maprun.local.environment import of_functions, of_services
from maprun.local.layout import SERVICES, Layout, StackError
from maprun.runtime.limits import limits_of
from maprun.runtime.settings import to_environment


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One child process. Ready when `ready_url` answers 200 or, without one, when `ready_port` takes connections.

    A part with neither is a task: it is done when it exits with 0, and it is not started again.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    after: tuple[str, ...] = ()
    ready_url: str = ""
    ready_port: int = 0
    ready_seconds_max: float = 60.0
    stop_seconds_max: float = 25.0

    @property
    def is_task(self) -> bool:
        """True for what runs once."""
        return not self.ready_url and not self.ready_port


_LONGER_SECONDS = 5.0  # a process ends itself; its launcher need not, unless it hangs
TOPICS = "topics"
ALL = ("kafka", "seaweedfs", "functions", TOPICS, *SERVICES)
"""Every name that may stand after `--parts`; `child-runner` stands for all of them."""


def names(layout: Layout, wanted: tuple[str, ...]) -> frozenset[str]:
    """The names of the parts that a choice means. Raises StackError on a name that is none."""
    unknown = sorted(set(wanted) - set(ALL))
    if unknown:
        raise StackError(f"no part is called {', '.join(unknown)}", f"the parts are: {', '.join(ALL)}")
    runners = {f"child-runner-{number}" for number in range(layout.child_runners)}
    return frozenset((set(wanted) - {"child-runner"}) | (runners if "child-runner" in wanted else set()))


def make(layout: Layout, chosen: frozenset[str], java: str, environ: Mapping[str, str]) -> list[Part]:
    """The chosen parts, in no order: each says what it comes after. `environ` is that of whoever starts the stack."""
    parts = []
    ours = _environment(layout, of_services(environ, layout.aws_keys))
    if "kafka" in chosen:
        parts.append(
            Part(
                name="kafka",
                argv=kafka.command(layout, java),
                environment=ours,
                ready_port=layout.kafka_port,
                stop_seconds_max=12.0,
            )
        )
    if "seaweedfs" in chosen:
        parts.append(
            Part(
                name="seaweedfs",
                argv=seaweedfs.command(layout),
                # Given AWS keys it would make them its only ones; without, it takes any, as a local stand-in should.
                environment={k: v for k, v in ours.items() if not k.startswith(("AWS_", "S3_"))},
                ready_url=f"{layout.settings.s3}/",
                ready_seconds_max=40.0,
                stop_seconds_max=12.0,
            )
        )
    if "functions" in chosen:
        parts.append(
            Part(
                name="functions",
                argv=_python("maprun.local.functions"),
                environment={
                    "AWS_ENDPOINT_URL_SFN": layout.settings.api,  # SendTaskSuccess, StartExecution, … from a handler
                    **_environment(layout, of_functions(environ, layout.function_env)),
                },
                ready_url=f"{layout.settings.functions}/readyz",
                ready_seconds_max=30.0,
                stop_seconds_max=8.0,
            )
        )
    if TOPICS in chosen:
        parts.append(
            Part(
                name=TOPICS,
                argv=_python("maprun.cli", "topics", "apply"),
                environment=ours,
                after=("kafka",),
            )
        )
    parts += [_service(layout, name, ours) for name in sorted(chosen) if name not in ALL or name in SERVICES]
    present = {part.name for part in parts}
    return [msgspec.structs.replace(part, after=tuple(n for n in part.after if n in present)) for part in parts]


def check_importable(chosen: frozenset[str]) -> None:
    """Raises StackError if the code of a chosen part is not there (a broken checkout)."""
    modules = {name: f"services.{name.replace('-', '_')}" for name in SERVICES}
    modules |= {TOPICS: "maprun.cli.topics", "functions": "maprun.local.functions"}
    for name in sorted(chosen):
        module = modules.get("child-runner" if name.startswith("child-runner-") else name)
        if module and find_spec(module) is None:
            raise StackError(f"{name} can't be started: there is no module {module}", "is the checkout whole?")


def import_environment(layout: Layout) -> dict[str, str]:
    """Where child processes import our code from: the checkout, or what is installed and nothing that lies about."""
    return {"PYTHONPATH": str(layout.root)} if layout.checkout else {"PYTHONSAFEPATH": "1"}


def _service(layout: Layout, name: str, ours: Mapping[str, str]) -> Part:
    """One of the four services, or one of several child-runners."""
    module = "child_runner" if name.startswith("child-runner-") else name.replace("-", "_")
    port = layout.health_port(name)
    return Part(
        name=name,
        argv=_python(f"services.{module}"),
        environment={
            **ours,
            "MAPRUN_HTTP_PORT": str(port),
            "MAPRUN_HTTP_HOST": "127.0.0.1",
            "MAPRUN_INSTANCE": name,
        },
        after=(TOPICS, "kafka", "seaweedfs"),
        ready_url=f"http://127.0.0.1:{port}/readyz",
        stop_seconds_max=_LONGER_SECONDS + limits_of(layout.settings).stop_seconds_max,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line that runs a module of this tree in this very environment."""
    return (sys.executable, "-m", module, *arguments)


def _environment(layout: Layout, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a child process gets beside what it inherits: the settings, and the stack's mark."""
    return {
        "AWS_REGION": layout.settings.region,
        "AWS_DEFAULT_REGION": layout.settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **inherited,
        **to_environment(layout.settings),
        "MAPRUN_STATE_DIR": str(layout.state),
        "MAPRUN_FUNCTIONS_DIR": str(layout.functions_dir),
        "MAPRUN_FUNCTION_WORKERS": str(layout.function_workers),
        **import_environment(layout),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        statefile.MARK: str(layout.state),
    }


def log_of(layout: Layout, name: str) -> Path:
    """Where a part's output goes."""
    return layout.log_dir / f"{name}.log"
