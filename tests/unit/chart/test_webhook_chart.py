"""The optional validating webhook: what the chart renders for it, either way of certificates."""

from base64 import b64decode
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.unit.chart.conftest import CHART, HelmError, Manifest, Render
from tests.unit.chart.test_chart import allowed, of_kind, operator, settings, the
from tidegate.app.webhook import PATH
from tidegate.settings import Settings

ON: dict[str, Any] = {"enabled": True}
CERT_MANAGER: dict[str, Any] = {"enabled": True, "certManager": {"enabled": True}}
KINDS = {"Secret", "ValidatingWebhookConfiguration", "Certificate", "Issuer"}
HOST = "tidegate-webhook.tidegate-system.svc"


def configured(objects: list[Manifest]) -> Manifest:
    (found,) = the(objects, "ValidatingWebhookConfiguration")["webhooks"]
    return dict(found)


def pod(objects: list[Manifest]) -> Manifest:
    return dict(the(objects, "Deployment")["spec"]["template"]["spec"])


def test_it_is_off_unless_asked_for(render: Render) -> None:
    objects = render()
    assert not {found["kind"] for found in objects} & KINDS
    assert [s["metadata"]["name"] for s in of_kind(objects, "Service")] == ["tidegate-metrics"]
    assert not any("WEBHOOK" in name for name in settings(objects))


def test_it_asks_about_new_specs_only_and_never_stands_in_the_way(render: Render) -> None:
    webhook = configured(render(webhook=ON))
    assert webhook["rules"] == [
        {
            "apiGroups": ["tidegate.dev"],
            "apiVersions": ["v1alpha1"],
            "resources": ["workflows"],
            "operations": ["CREATE", "UPDATE"],
            "scope": "Namespaced",
        }
    ]
    (condition,) = webhook["matchConditions"]
    assert "object.spec != oldObject.spec" in condition["expression"]
    assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Ignore", "None")
    assert (webhook["matchPolicy"], webhook["timeoutSeconds"]) == ("Equivalent", 5)
    assert webhook["admissionReviewVersions"] == ["v1"]
    assert webhook["name"].count(".") >= 2


@pytest.mark.parametrize(
    ("values", "selected"),
    [
        ({}, ("NotIn", ["tidegate-system", "kube-system"])),
        ({"excludedNamespaces": []}, ("NotIn", ["tidegate-system"])),
        ({"watchNamespaces": ["team-a", "team-b"]}, ("In", ["team-a", "team-b"])),
    ],
)
def test_it_is_asked_where_workflows_are_run(
    render: Render, values: dict[str, Any], selected: tuple[str, list[str]]
) -> None:
    (rule,) = configured(render(webhook=ON, **values))["namespaceSelector"]["matchExpressions"]
    assert rule["key"] == "kubernetes.io/metadata.name"
    assert (rule["operator"], rule["values"]) == selected


@pytest.mark.parametrize("release", ["tidegate", "canary", "a-rather-long-release-" + "x" * 30])
def test_the_way_from_the_api_server_to_the_container(render: Render, release: str) -> None:
    objects = render(release, webhook={"enabled": True, "port": 8444})
    (configuration,) = of_kind(objects, "ValidatingWebhookConfiguration")
    target = configuration["webhooks"][0]["clientConfig"]["service"]
    service = the(objects, "Service", target["name"])
    assert len(target["name"]) <= 63
    assert target["namespace"] == service["metadata"]["namespace"] == "tidegate-system"
    assert (target["port"], target["path"]) == (443, PATH)
    assert service["spec"]["ports"] == [{"name": "webhook", "port": 443, "targetPort": "webhook"}]
    (deployment,) = of_kind(objects, "Deployment")
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "webhook", "containerPort": 8444} in container["ports"]


@pytest.mark.parametrize("webhook", [ON, CERT_MANAGER])
def test_the_operator_finds_the_certificate_as_files(
    render: Render, monkeypatch: pytest.MonkeyPatch, webhook: dict[str, Any]
) -> None:
    objects = render(webhook=webhook)
    for name, value in settings(objects).items():
        monkeypatch.setenv(name, value)
    taken = Settings.load()
    (mount,) = operator(objects)["volumeMounts"]
    (volume,) = pod(objects)["volumes"]
    assert taken.webhook_certificates == mount["mountPath"]
    assert taken.webhook_port == 8443
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert volume["secret"]["optional"] is True
    made = of_kind(objects, "Secret") or of_kind(objects, "Certificate")
    name = made[0].get("spec", {}).get("secretName") or made[0]["metadata"]["name"]
    assert volume["secret"]["secretName"] == name


def test_it_needs_no_more_rights(render: Render) -> None:
    kinds = ("ClusterRole", "Role")
    with_it, without = (
        [(o["metadata"]["name"], allowed(o)) for kind in kinds for o in of_kind(objects, kind)]
        for objects in (render(webhook=ON), render())
    )
    assert with_it == without


def test_the_chart_makes_a_pair_that_api_servers_trust(render: Render) -> None:
    objects = render(webhook=ON)
    secret = the(objects, "Secret", "tidegate-webhook")
    assert secret["type"] == "kubernetes.io/tls"
    assert configured(objects)["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    ca, certificate = (
        x509.load_pem_x509_certificate(b64decode(secret["data"][name]))
        for name in ("ca.crt", "tls.crt")
    )
    certificate.verify_directly_issued_by(ca)
    key = load_pem_private_key(b64decode(secret["data"]["tls.key"]), None)
    assert key.public_key() == certificate.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert HOST in names.get_values_for_type(x509.DNSName)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.days == 3650


def test_cert_manager_makes_it_with_an_issuer_of_its_own(render: Render) -> None:
    objects = render(webhook=CERT_MANAGER)
    assert not of_kind(objects, "Secret")
    issuer = the(objects, "Issuer", "tidegate-webhook")
    assert issuer["spec"] == {"selfSigned": {}}
    certificate = the(objects, "Certificate", "tidegate-webhook")
    assert certificate["spec"]["issuerRef"] == {
        "name": "tidegate-webhook", "kind": "Issuer", "group": "cert-manager.io",
    }  # fmt: skip
    assert HOST in certificate["spec"]["dnsNames"]
    configuration = the(objects, "ValidatingWebhookConfiguration")
    annotations = configuration["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": "tidegate-system/tidegate-webhook"}
    assert "caBundle" not in configured(objects)["clientConfig"]


def test_cert_manager_makes_it_with_the_issuer_that_is_named(render: Render) -> None:
    named = {"name": "company", "kind": "ClusterIssuer"}
    objects = render(
        webhook={"enabled": True, "certManager": {"enabled": True, "issuerRef": named}}
    )
    assert not of_kind(objects, "Issuer")
    spec = the(objects, "Certificate", "tidegate-webhook")["spec"]
    assert spec["issuerRef"] == {**named, "group": "cert-manager.io"}
    assert "duration" not in spec


@pytest.mark.parametrize(
    ("webhook", "words"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"failurePolicy": "Fail"}, "failurePolicy"),
        ({"port": 443}, "port"),
        ({"timeoutSeconds": 31}, "timeoutSeconds"),
        ({"certManager": {"issuer": "x"}}, "issuer"),
        ({"certManager": {"issuerRef": {"kind": "ClusterIssuer"}}}, "issuerRef"),
    ],
)
def test_wrong_values_are_refused_by_name(
    render: Render, webhook: dict[str, Any], words: str
) -> None:
    with pytest.raises(HelmError) as refused:
        render(webhook=webhook)
    assert words in str(refused.value)


def test_the_readme_tells_of_each_value() -> None:
    readme = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())["webhook"]
    assert all(f"`webhook.{name}" in readme or f"`.{name}" in readme for name in values)
