"""What the chart renders, and which values it refuses."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.chart.conftest import CHART, OLDEST_KUBERNETES, HelmError, Manifest, Render
from tidegate.settings import Settings

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def of_kind(objects: list[Manifest], kind: str) -> list[Manifest]:
    return [found for found in objects if found["kind"] == kind]


def the(objects: list[Manifest], kind: str, name: str = "tidegate") -> Manifest:
    (found,) = [o for o in of_kind(objects, kind) if o["metadata"]["name"] == name]
    return found


def operator(objects: list[Manifest]) -> Manifest:
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(container)


def settings(objects: list[Manifest]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in operator(objects)["env"] if "value" in e}


def allowed(role: Manifest) -> set[tuple[str, str]]:
    return {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_it_lints_strictly(helm: Callable[..., str]) -> None:
    helm("lint", "--strict", "--kube-version", OLDEST_KUBERNETES, str(CHART))


def test_every_object_has_the_labels_and_a_namespace(render: Render) -> None:
    for found in render():
        metadata = found["metadata"]
        if found["kind"] != "CustomResourceDefinition":
            assert metadata["labels"]["app.kubernetes.io/name"] == "tidegate"
        in_namespace = found["kind"] not in CLUSTER_SCOPED
        assert ("namespace" in metadata) == in_namespace, metadata["name"]


def test_the_pod_meets_the_restricted_standard(render: Render) -> None:
    pod = the(render(), "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "volumes" not in pod
    assert container["resources"]["limits"] == {"memory": "256Mi"}


def test_probes_and_ports_agree_with_the_settings(render: Render) -> None:
    objects = render(probes={"port": 8099}, metrics={"port": 9099})
    container = operator(objects)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"probes": 8099, "metrics": 9099}
    assert settings(objects)["TIDEGATE_PROBE_PORT"] == "8099"
    assert settings(objects)["TIDEGATE_METRICS_PORT"] == "9099"
    paths = {
        name: (container[name]["httpGet"]["path"], container[name]["httpGet"]["port"])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": ("/healthz", "probes"),
        "livenessProbe": ("/healthz", "probes"),
        "readinessProbe": ("/readyz", "probes"),
    }
    service = the(objects, "Service", "tidegate-metrics")
    assert service["spec"]["ports"][0] == {"name": "metrics", "port": 9099, "targetPort": "metrics"}


def test_the_settings_of_a_plain_install(render: Render) -> None:
    assert settings(render()) == {
        "TIDEGATE_NAMESPACES": "",
        "TIDEGATE_EXCLUDED_NAMESPACES": "tidegate-system,kube-system",
        "TIDEGATE_LOG_LEVEL": "info",
        "TIDEGATE_LOG_FORMAT": "json",
        "TIDEGATE_LEASE_NAME": "tidegate-operator",
        "TIDEGATE_METRICS_PORT": "9090",
        "TIDEGATE_PROBE_PORT": "8080",
        "TIDEGATE_JOB_BURST": "50",
        "TIDEGATE_JOB_RATE": "20",
        "TIDEGATE_UNSTARTED_JOBS": "20",
        "TIDEGATE_REQUIRE_VERIFIED_VOTES": "true",
    }


def test_the_operator_takes_these_settings(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings(render(watchNamespaces=["team-a"], log={"format": "text"})).items():
        monkeypatch.setenv(name, value)
    taken = Settings.load()
    known = {f"TIDEGATE_{field.upper()}" for field in Settings.model_fields}
    assert {e["name"] for e in operator(render())["env"]} <= known
    assert taken.namespaces == ("team-a",)
    assert taken.excluded_namespaces == ("tidegate-system", "kube-system")
    assert (taken.log_level, taken.log_format) == ("INFO", "text")
    assert (taken.job_burst, taken.job_rate, taken.unstarted_jobs) == (50, 20, 20)


def test_cluster_wide_rights_are_a_cluster_role(render: Render) -> None:
    objects = render()
    assert {role["metadata"]["name"] for role in of_kind(objects, "Role")} == {"tidegate-lease"}
    bound = {b["roleRef"]["name"] for b in of_kind(objects, "ClusterRoleBinding")}
    assert bound == {"tidegate", "tidegate-policies"}


def test_a_list_of_namespaces_needs_no_cluster_role_of_the_operators_own(render: Render) -> None:
    objects = render(watchNamespaces=["team-a", "team-b"])
    assert settings(objects)["TIDEGATE_NAMESPACES"] == "team-a,team-b"
    for kind in ("Role", "RoleBinding"):
        places = {o["metadata"]["namespace"] for o in of_kind(objects, kind)}
        assert places == {"team-a", "team-b", "tidegate-system"}
    bound = {b["roleRef"]["name"] for b in of_kind(objects, "ClusterRoleBinding")}
    assert bound == {"tidegate-policies"}, "to read them by name"
    users = {role["metadata"]["name"] for role in of_kind(objects, "ClusterRole")} - bound
    assert users == {"tidegate-view", "tidegate-edit", "tidegate-approve"}
    assert {s["namespace"] for b in of_kind(objects, "RoleBinding") for s in b["subjects"]} == {
        "tidegate-system"
    }


def test_the_rights_are_the_same_either_way(render: Render) -> None:
    everywhere = the(render(), "ClusterRole")["rules"]
    (here,) = [
        role
        for role in of_kind(render(watchNamespaces=["team-a"]), "Role")
        if role["metadata"]["namespace"] == "team-a"
    ]
    assert here["rules"] == everywhere


def test_the_operator_can_write_neither_specs_nor_read_secrets(render: Render) -> None:
    rights = allowed(the(render(), "ClusterRole"))
    assert {verb for resource, verb in rights if resource == "workflows"} == {
        "get", "list", "watch", "delete",
    }  # fmt: skip
    assert not {resource for resource, _ in rights} & {
        "secrets", "leases", "namespaces", "customresourcedefinitions",
    }  # fmt: skip
    assert not any("*" in (resource, verb) for resource, verb in rights)


def test_the_lease_is_named(render: Render) -> None:
    role = the(render(leaseName="other"), "Role", "tidegate-lease")
    create, rest = role["rules"]
    assert create["verbs"] == ["create"]
    assert rest == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["other"],
        "verbs": ["get", "update"],
    }


def test_editors_write_workflows_but_never_their_status(render: Render) -> None:
    objects = render()
    view, edit = (the(objects, "ClusterRole", f"tidegate-{who}") for who in ("view", "edit"))
    assert allowed(view) == {
        ("workflows", "get"), ("workflows", "list"), ("workflows", "watch"),
        ("workflows/status", "get"),
    }  # fmt: skip
    assert {resource for resource, _ in allowed(edit)} == {"workflows"}
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    goes_to = {
        name: {
            label.removeprefix(prefix) for label in role["metadata"]["labels"] if prefix in label
        }
        for name, role in (("view", view), ("edit", edit))
    }
    assert goes_to == {"view": {"view", "edit", "admin"}, "edit": {"edit", "admin"}}


def test_the_readme_gives_a_reason_for_every_right(render: Render) -> None:
    readme = (CHART / "README.md").read_text()
    rows = {
        (resource.strip(" `"), verb.strip(" `"))
        for line in readme.splitlines()
        if line.startswith("| `") and line.count("|") >= 4
        for resource, verbs in [line.split("|")[1:3]]
        for verb in verbs.split(",")
    }
    objects = render()
    own = (
        ("ClusterRole", "tidegate"),
        ("Role", "tidegate-lease"),
        ("ClusterRole", "tidegate-policies"),
    )
    rights = {right for place in own for right in allowed(the(objects, *place))}
    assert rights - rows == set(), "rights without a reason"
    assert {row for row in rows if row[0] in {r for r, _ in rights}} - rights == set()


def test_switches_take_things_away(render: Render) -> None:
    objects = render(
        rbac={"create": False, "aggregate": False},
        serviceAccount={"create": False, "name": "mine"},
        podDisruptionBudget={"enabled": False},
        metrics={"service": {"enabled": False}},
        crds={"install": False},
        policies={"install": False},
    )
    assert {found["kind"] for found in objects} == {"Deployment"}
    assert the(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_the_crd_stays_when_the_release_goes_unless_told_otherwise(render: Render) -> None:
    policy = "helm.sh/resource-policy"
    kept = the(render(), "CustomResourceDefinition", "workflows.tidegate.dev")
    assert kept["metadata"]["annotations"][policy] == "keep"
    loose = the(render(crds={"keep": False}), "CustomResourceDefinition", "workflows.tidegate.dev")
    assert policy not in (loose["metadata"].get("annotations") or {})


def test_what_users_add_arrives(render: Render) -> None:
    objects = render(
        podAnnotations={"a": "1"},
        podLabels={"b": "2"},
        priorityClassName="high",
        nodeSelector={"kubernetes.io/os": "linux"},
        tolerations=[{"operator": "Exists"}],
        affinity={"nodeAffinity": {}},
        extraEnv=[{"name": "X", "value": "y"}],
        imagePullSecrets=[{"name": "pull"}],
        image={"repository": "elsewhere/tidegate", "tag": "v9", "pullPolicy": "Never"},
    )
    template = the(objects, "Deployment")["spec"]["template"]
    pod = template["spec"]
    assert template["metadata"]["annotations"]["a"] == "1"
    assert template["metadata"]["labels"]["b"] == "2"
    assert pod["priorityClassName"] == "high"
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["affinity"] == {"nodeAffinity": {}}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert operator(objects)["image"] == "elsewhere/tidegate:v9"
    assert operator(objects)["imagePullPolicy"] == "Never"
    assert settings(objects)["X"] == "y"


def test_two_releases_do_not_share_cluster_scoped_names(render: Render) -> None:
    mine, other = render(), render("canary")
    names = [
        {
            o["metadata"]["name"]
            for o in objects
            if o["kind"] in {"ClusterRole", "ClusterRoleBinding"}
        }
        for objects in (mine, other)
    ]
    assert not names[0] & names[1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": "two"}, "replicas"),
        ({"replicas": -1}, "replicas"),
        ({"repicas": 1}, "repicas"),
        ({"image": {"name": "x"}}, "name"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"watchNamespaces": "team-a"}, "watchNamespaces"),
        ({"watchNamespaces": ["Team_A"]}, "watchNamespaces"),
        ({"watchNamespaces": ["a", "a"]}, "watchNamespaces"),
        ({"watchNamespaces": ["kube-system"]}, "kube-system can't be watched and excluded"),
        ({"watchNamespaces": ["tidegate-system"]}, "tidegate-system can't be watched"),
        ({"excludedNamespaces": ["{{ .Release.Name }}"]}, "excludedNamespaces"),
        ({"log": {"level": "verbose"}}, "level"),
        ({"jobs": {"burst": 0}}, "burst"),
        ({"jobs": {"ratePerSecond": 0}}, "ratePerSecond"),
        ({"metrics": {"port": 80}}, "port"),
        ({"probes": {"liveness": {"httpGet": {}}}}, "httpGet"),
        ({"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "minAvailable"),
        ({"extraEnv": {"A": "b"}}, "extraEnv"),
        ({"podAnnotations": {"a": 1}}, "podAnnotations"),
    ],
)
def test_wrong_values_are_refused_by_name(
    render: Render, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(HelmError) as refused:
        render(**values)
    assert words in str(refused.value)


def test_the_schema_is_sound_and_knows_every_default() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(DEFAULTS, SCHEMA)
    assert set(SCHEMA["properties"]) - {"global"} == set(DEFAULTS)


def test_objects_of_the_schema_are_closed() -> None:
    free = {"global", "affinity", "podSecurityContext", "securityContext"}
    for name, part in SCHEMA["properties"].items():
        if part.get("type") == "object" and name not in free:
            assert part["additionalProperties"] is False, name
