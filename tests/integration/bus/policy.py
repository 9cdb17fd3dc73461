"""A broker whose operator has a policy on new topics, as hosted Kafkas have: a class of Java's that is made here."""

import shutil
import subprocess
from pathlib import Path

from maprun.local import kafka
from tests.integration.bus.broker import Broker
from tests.integration.jars import jars

SOURCE = """
import java.util.Map;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.server.policy.AlterConfigPolicy;
import org.apache.kafka.server.policy.CreateTopicPolicy;

public class Policy implements CreateTopicPolicy, AlterConfigPolicy {
    public void configure(Map<String, ?> configs) {}
    public void close() {}
    public void validate(CreateTopicPolicy.RequestMetadata asked) { check(asked.configs()); }
    public void validate(AlterConfigPolicy.RequestMetadata asked) { check(asked.configs()); }
    private static void check(Map<String, String> configs) {
        String bytes = configs.get("max.message.bytes");
        if (bytes != null && Long.parseLong(bytes) > 8388608)
            throw new PolicyViolationException("max.message.bytes must be at most 8388608");
    }
}
"""
SETTINGS = """
create.topic.policy.class.name=Policy
alter.config.policy.class.name=Policy
"""


def why_not() -> str:
    """Why no policy can be made here; empty if it can."""
    return "" if shutil.which("javac") and shutil.which("jar") else "a JDK makes the policy: javac is not installed"


def policed(folder: Path) -> Broker:
    """A broker that takes no topic with records above 8 MiB."""
    broker = Broker(folder, SETTINGS)
    kafka.fetch(broker._layout)  # the checkout's, which the policy's jar stands beside
    libs = folder / "kafka" / "libs"
    libs.unlink()
    libs.mkdir()
    fetched = jars()
    for jar in fetched.iterdir():
        (libs / jar.name).symlink_to(jar)
    (folder / "Policy.java").write_text(SOURCE)
    _run("javac", "-cp", f"{fetched}/*", "-d", str(folder / "classes"), str(folder / "Policy.java"))
    _run("jar", "--create", "--file", str(libs / "policy.jar"), "-C", str(folder / "classes"), ".")
    return broker


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
