"""Apache Kafka on this machine: jars by Maven (once), a formatted log folder, the command line of the broker."""

import shutil
import string
import subprocess
from pathlib import Path

from maprun.local.layout import Layout, StackError

FILES = Path(__file__).parent / "static" / "kafka"
_FETCH_SECONDS_MAX = 600
_FORMAT_SECONDS_MAX = 60
COMPLETE = ".complete"  # in a folder of jars: all of them arrived
_CLUSTER_ID = "bWFwcnVuLWxvY2FsLWtrYQ"  # 16 bytes in base64: one cluster a state folder, so the name may be fixed


def prepare(layout: Layout, java: str) -> None:
    """Fetches the jars if they aren't there, writes the configuration, formats the log folder if it is new.

    Raises StackError with Maven's or Kafka's own words when one of them fails.
    """
    fetch(layout)
    write(layout, configuration(layout))
    format_data(layout, java)


def configuration(layout: Layout) -> str:
    """The broker's settings."""
    template = (FILES / "server.properties").read_text(encoding="utf-8")
    listeners = f"PLAINTEXT://127.0.0.1:{layout.kafka_port}"
    return string.Template(template).substitute(
        node_id=1,
        voters=f"1@127.0.0.1:{layout.controller_port}",
        copies=1,
        in_sync=1,
        listeners=f"{listeners},CONTROLLER://127.0.0.1:{layout.controller_port}",
        advertised_listeners=listeners,
        data_dir=layout.kafka_data,
    )


def write(layout: Layout, text: str) -> None:
    """Puts the broker's settings where its command line looks for them."""
    (_home(layout) / "server.properties").write_text(text, encoding="utf-8")
    shutil.copyfile(FILES / "log4j2.properties", _home(layout) / "log4j2.properties")


def format_data(layout: Layout, java: str, *arguments: str) -> None:
    """Formats the log folder if it is new. Raises StackError with Kafka's own words."""
    if (layout.kafka_data / "meta.properties").exists():
        return
    config = ("--config", str(_home(layout) / "server.properties"))
    asked = ("format", "--cluster-id", _CLUSTER_ID, "--ignore-formatted", *config, *arguments)
    format_it = (*java_with_kafka(layout, java), "kafka.tools.StorageTool", *asked)
    done = subprocess.run(format_it, capture_output=True, text=True, timeout=_FORMAT_SECONDS_MAX, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise StackError(f"Kafka's log folder {layout.kafka_data} can't be formatted: {said}")


def command(layout: Layout, java: str) -> tuple[str, ...]:
    """The command line of the broker."""
    return (*java_with_kafka(layout, java), "kafka.Kafka", str(_home(layout) / "server.properties"))


def _home(layout: Layout) -> Path:
    """Where the broker's settings, jars and logs are."""
    return layout.state / "kafka"


def java_with_kafka(layout: Layout, java: str) -> tuple[str, ...]:
    """A Java machine with Kafka on its class path."""
    return (
        java,
        *layout.java_options,
        f"-Dlog4j2.configurationFile={_home(layout) / 'log4j2.properties'}",
        "-cp",
        f"{layout.kafka_libs}/*",
    )


def fetch(layout: Layout) -> None:
    """Copies Kafka's jars by Maven; a mark says that all of them arrived."""
    if not (layout.kafka_libs / COMPLETE).exists():
        print("fetching Apache Kafka 4.1.1 by Maven (once, 43 MB)", flush=True)
        copy_jars(layout.kafka_libs)


def copy_jars(libs: Path, *options: str) -> None:
    """Copies Kafka's jars there, by Maven with these options, and sets the mark. Raises StackError with its words."""
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("maven is not installed; it fetches Apache Kafka once", "apt-get install maven")
    asked = [
        maven,
        *("--quiet", "--batch-mode", "--file", str(FILES / "pom.xml")),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={libs}",
        *options,
    ]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_FETCH_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(f"Maven took longer than {_FETCH_SECONDS_MAX} s", "is the network up? run it again") from error
    if done.returncode != 0:
        raise StackError(
            f"Maven can't fetch Kafka: {(done.stdout or done.stderr).strip()[-800:]}", "is the network up? run it again"
        )
    (libs / COMPLETE).touch()
