"""Saves Jobs, pods and Events of a real cluster for the tests of their conversion to facts.

    KUBECONFIG=… PYTHONPATH=operator:. python -m tests.unit.facts.record [case …]

Each case is a node of a Workflow and the moments of its Job's life at which everything is saved,
to ``saved/<case>.<moment>.json``, as the API server tells it, without managedFields. The namespaces
are the script's own and are deleted at the end. No test: run by hand against a new Kubernetes.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.unit.build.samples import start_of, workflow_of
from tests.unit.facts.cases import CASES, IMAGE, NAMESPACE, Case, Json, Moment
from tidegate.build.job import job_manifest

SAVED = Path(__file__).with_name("saved")
PATIENCE = 90.0


def kubectl(*arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        ["kubectl", *arguments], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def listed(kind: str, namespace: str, *selector: str) -> list[Json]:
    items = json.loads(kubectl("get", kind, "-n", namespace, "-o", "json", *selector))["items"]
    for item in items:
        item["metadata"].pop("managedFields", None)
    return list(items)


def observe(namespace: str, name: str) -> tuple[Json, list[Json], list[Json]]:
    jobs = [one for one in listed("jobs", namespace) if one["metadata"]["name"] == name]
    if not jobs:
        return {}, [], []
    uid = jobs[0]["metadata"]["uid"]
    pods = listed("pods", namespace, "-l", f"batch.kubernetes.io/controller-uid={uid}")
    events = listed("events", namespace, f"--field-selector=involvedObject.uid={uid}")
    return jobs[0], pods, events


def record(name: str, case: Case, node_name: str) -> None:
    namespace = NAMESPACE + ("-quota" if case.quota else "-restricted" if case.restricted else "")
    node = json.loads(
        json.dumps({"name": name, "image": IMAGE, **case.node}).replace("NODE", node_name)
    )
    workflow = workflow_of({"nodes": [node]}, namespace=namespace, name="facts")
    job = job_manifest(workflow, start_of(name))
    job["metadata"].pop("ownerReferences")  # no Workflow exists: garbage collection would take it
    job["spec"] |= case.job
    kubectl("create", "-n", namespace, "-f", "-", text=json.dumps(job))
    for moment, has_come in case.steps:
        seen = wait(namespace, job["metadata"]["name"], has_come, f"{name}.{moment}")
        target = SAVED / f"{name}.{moment}.json"
        content = dict(zip(("job", "pods", "events"), seen, strict=True))
        target.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        if arguments := case.acts.get(moment):
            act(arguments, namespace, seen)
    print("saved", name)  # noqa: T201 - a command for people


def act(
    arguments: tuple[str, ...], namespace: str, seen: tuple[Json, list[Json], list[Json]]
) -> None:
    job = seen[0]["metadata"]["name"]
    pod_name = seen[1][0]["metadata"]["name"]
    words = [word.replace("JOB", job).replace("POD", pod_name) for word in arguments]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod_name, "namespace": namespace},
    }
    kubectl(*words, *(() if "--raw" in words else ("-n", namespace)), text=json.dumps(eviction))


def wait(
    namespace: str, name: str, has_come: Moment, what: str
) -> tuple[Json, list[Json], list[Json]]:
    until = time.monotonic() + PATIENCE
    while True:
        seen = observe(namespace, name)
        if has_come(*seen):
            return seen
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come: {json.dumps(seen, indent=1)}")
        time.sleep(0.1)


def prepare() -> None:
    for suffix in ("", "-quota", "-restricted"):
        kubectl("delete", "namespace", NAMESPACE + suffix, "--ignore-not-found")
        kubectl("create", "namespace", NAMESPACE + suffix)
    kubectl("create", "quota", "no-pods", "--hard=pods=0", "-n", f"{NAMESPACE}-quota")
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", f"{NAMESPACE}-restricted", label)


def main(names: list[str]) -> None:
    SAVED.mkdir(exist_ok=True)
    node_name = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    prepare()
    try:
        for name in names or CASES:
            try:
                record(name, CASES[name], node_name)
            except TimeoutError as error:
                print(error)  # noqa: T201 - the other cases are worth having
    finally:
        for suffix in ("", "-quota", "-restricted"):
            kubectl("delete", "namespace", NAMESPACE + suffix, "--wait=false")


if __name__ == "__main__":
    main(sys.argv[1:])
