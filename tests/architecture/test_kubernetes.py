"""ops/kubernetes says what the services need: names, settings, probes, and time to stop."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from maprun.runtime.limits import limits_of
from maprun.runtime.settings import load
from schemas.topics import EXPRESS_REQUESTS, ITEMS
from services.child_runner.topology import EXPRESS_GROUP, GROUP
from tests.architecture.sources import ROOT

Json = dict[str, Any]
FOLDER = ROOT / "ops" / "kubernetes"
SERVICES = {"scheduler", "item-reader", "child-runner", "maprun-tracker"}
WITH_A_DISK = {"scheduler", "maprun-tracker"}
"""Those that fill an archive on disk: another disk is another hour of filling it."""


def objects(kind: str) -> Iterator[Json]:
    """All of a kind."""
    for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]:
        yield from (each for each in yaml.safe_load_all((FOLDER / name).read_text()) if each["kind"] == kind)


def container_of(workload: Json) -> Json:
    """Its only one."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment_of(workload: Json) -> dict[str, str]:
    """What a process finds: the shared settings, and its own; what Kubernetes fills in is filled in."""
    (shared,) = objects("ConfigMap")
    found: dict[str, str] = {**shared["data"], "NAMESPACE": "here"}
    found["MAPRUN_INSTANCE"] = f"{workload['metadata']['name']}-0"
    for each in container_of(workload).get("env", ()):
        if "value" in each:
            text = each["value"]
            for name, value in found.items():
                text = text.replace(f"$({name})", value)
            found[each["name"]] = text
    return found


def test_each_service_is_there_under_its_name() -> None:
    """As a StatefulSet, so that a process that is started again has the name, and the partitions, it had."""
    sets = {each["metadata"]["name"]: each for each in objects("StatefulSet")}
    assert set(sets) == SERVICES
    for name, each in sets.items():
        container = container_of(each)
        assert container["command"] == ["python", "-m", f"services.{name.replace('-', '_')}"]
        own = next(env for env in container["env"] if env["name"] == "MAPRUN_INSTANCE")
        assert own["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
        assert ("volumeClaimTemplates" in each["spec"]) is (name in WITH_A_DISK)
        headless = next(s for s in objects("Service") if s["metadata"]["name"] == each["spec"]["serviceName"])
        assert headless["spec"]["clusterIP"] == "None"


def test_settings_are_such_that_a_process_starts() -> None:
    """Every variable of ours is one that settings know, with a value that they take."""
    known = (ROOT / "maprun" / "runtime" / "settings.py").read_text()
    for each in objects("StatefulSet"):
        environ = environment_of(each)
        load(environ)
        unknown = [name for name in environ if name.startswith("MAPRUN_") and f'"{name}"' not in known]
        assert unknown == [], each["metadata"]["name"]


def test_a_tracker_is_asked_by_its_own_name() -> None:
    """Its address is that of the process, in the Service that gives each pod a name; the others need not know it."""
    (tracker,) = (each for each in objects("StatefulSet") if each["metadata"]["name"] == "maprun-tracker")
    settings = load(environment_of(tracker))
    assert settings.api == f"http://maprun-tracker-0.{tracker['spec']['serviceName']}.here.svc:8083"
    served = {each["metadata"]["name"] for each in objects("Service")}
    (shared,) = objects("ConfigMap")
    assert shared["data"]["MAPRUN_API"] == "http://maprun-tracker:8083"
    assert {name.removesuffix(".here.svc") for name in settings.api_host_names} < served


def test_a_process_has_the_time_that_it_may_take_to_stop() -> None:
    """Killed before it ends by itself it would leave calls behind that a successor makes again."""
    for each in objects("StatefulSet"):
        limits = limits_of(load(environment_of(each)))
        command = (
            container_of(each).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        )
        needed = float(command[1]) + limits.stop_seconds_max + limits.drain_seconds
        assert each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= needed, each["metadata"]["name"]


def test_probes_ask_what_a_process_answers() -> None:
    """`/readyz` before it is relied on, `/healthz` before it is killed, on the port that settings name."""
    for each in objects("StatefulSet"):
        container, port = container_of(each), int(environment_of(each)["MAPRUN_HTTP_PORT"])
        assert {"name": "metrics", "containerPort": port} in container["ports"]
        asked = {name: container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")}
        assert {probe["port"] for probe in asked.values()} == {"metrics"}
        assert (asked["readinessProbe"]["path"], asked["livenessProbe"]["path"]) == ("/readyz", "/healthz")


def test_nothing_runs_with_more_rights_than_it_needs() -> None:
    """As nobody, with a file system that it can't write to but where it must, and no token of the cluster."""
    for each in (*objects("StatefulSet"), *objects("Job")):
        pod, own = each["spec"]["template"]["spec"], container_of(each)["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {mount["mountPath"] for mount in container_of(each)["volumeMounts"]} >= {"/tmp", "/data"}  # noqa: S108


def test_one_process_of_a_service_goes_at_once() -> None:
    """A budget for each: while a node is emptied, the others take its partitions over."""
    budgets = {each["metadata"]["name"]: each["spec"] for each in objects("PodDisruptionBudget")}
    assert set(budgets) == SERVICES
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}


def test_runners_are_scaled_by_the_lag_of_their_groups() -> None:
    """Up to one a lane, by names of topics and groups as the services have them."""
    scaled = yaml.safe_load((FOLDER / "autoscaling" / "child-runner.yaml").read_text())["spec"]
    (shared,) = objects("ConfigMap")
    assert scaled["scaleTargetRef"]["kind"] == "StatefulSet"
    assert scaled["maxReplicaCount"] == int(shared["data"]["MAPRUN_LANES"])
    lags = [each["metadata"] for each in scaled["triggers"] if each["type"] == "kafka"]
    settings = load(shared["data"])
    named = {(each["consumerGroup"], each["topic"]) for each in lags}
    groups = {(GROUP, ITEMS.name), (EXPRESS_GROUP, EXPRESS_REQUESTS.name)}
    assert named == {(settings.prefix + group, settings.prefix + topic) for group, topic in groups}
    assert {each["bootstrapServers"] for each in lags} == {settings.kafka}


def test_kubernetes_takes_them() -> None:
    """By the schemas of the oldest and the newest version that kubernetes-validate has and we promise, strictly."""
    program = shutil.which("kubernetes-validate")
    if program is None:
        pytest.skip("kubernetes-validate is not here: `pip install kubernetes-validate` in an environment of its own")
    files = [FOLDER / name for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]]
    for version in ("1.30.0", "1.37.0"):
        done = subprocess.run([program, "--strict", "-k", version, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
