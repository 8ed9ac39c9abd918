import datetime as dt
import ipaddress
import ssl

import pytest
import yaml
from cryptography import x509

from tests.cluster.local import configs, pki
from tests.cluster.local.layout import Layout

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.fixture
def sound(layout: Layout) -> Layout:
    pki.mend(layout, NOW)
    return layout


def everything(layout: Layout) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in layout.pki.iterdir()}


def test_all_is_missing_at_first_and_nothing_after_mending(layout: Layout) -> None:
    assert len(pki.faults(layout, NOW)) == len(pki.identities(layout)) + 2
    pki.mend(layout, NOW)
    assert pki.faults(layout, NOW) == []


def test_mending_what_is_sound_changes_nothing(sound: Layout) -> None:
    before = everything(sound)
    pki.mend(sound, NOW)
    assert everything(sound) == before


@pytest.mark.parametrize("ending", ["crt", "key"])
@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB", None])
def test_a_half_written_or_missing_file_is_made_anew_alone(
    sound: Layout, ending: str, damage: bytes | None
) -> None:
    before = everything(sound)
    path = sound.pki / f"kubelet.{ending}"
    path.write_bytes(damage) if damage is not None else path.unlink()
    assert pki.faults(sound, NOW) == ["kubelet"]
    pki.mend(sound, NOW)
    assert pki.faults(sound, NOW) == []
    changed = {name for name, content in everything(sound).items() if before[name] != content}
    assert changed == {"kubelet.crt", "kubelet.key", "kubelet.pub"}


def test_a_certificate_with_anothers_key_is_a_fault(sound: Layout) -> None:
    (sound.pki / "scheduler.key").write_bytes((sound.pki / "etcd.key").read_bytes())
    assert pki.faults(sound, NOW) == ["scheduler"]


def test_a_new_authority_makes_every_certificate_new(sound: Layout) -> None:
    before = everything(sound)
    (sound.pki / "ca.crt").write_text("")
    pki.mend(sound, NOW)
    assert pki.faults(sound, NOW) == []
    kept = {name for name, content in everything(sound).items() if before[name] == content}
    assert kept == {"service-accounts.key", "service-accounts.pub"}


def test_certificates_about_to_expire_are_faults(sound: Layout) -> None:
    assert pki.faults(sound, NOW + pki.LIFETIME - pki.SPARE - dt.timedelta(hours=1)) == []
    late = NOW + pki.LIFETIME - pki.SPARE + dt.timedelta(hours=1)
    assert len(pki.faults(sound, late)) == len(pki.identities(sound)) + 1


def test_a_certificate_for_other_addresses_is_a_fault(sound: Layout) -> None:
    moved = Layout(**{**vars(sound), "node_ip": "198.51.100.9"})
    assert pki.faults(moved, NOW) == ["apiserver", "kubelet-server"]


def test_the_api_server_is_known_by_all_its_names(sound: Layout) -> None:
    certificate = x509.load_pem_x509_certificate((sound.pki / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address(text) for text in ("127.0.0.1", "192.0.2.7", "10.89.0.1")
    }
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_keys_are_private(sound: Layout) -> None:
    modes = {path.stat().st_mode & 0o777 for path in sound.pki.glob("*.key")}
    assert modes == {0o600}


def test_certificates_load_into_a_tls_library_and_into_kubeconfigs(sound: Layout) -> None:
    context = ssl.create_default_context(cafile=str(sound.pki / "ca.crt"))
    context.load_cert_chain(sound.pki / "admin.crt", sound.pki / "admin.key")
    configs.write_all(sound)
    document = yaml.safe_load(sound.kubeconfig.read_text())
    assert document["users"][0]["name"] == "tidegate-admin"
    assert document["clusters"][0]["cluster"]["server"] == sound.url
    assert sound.kubeconfig.stat().st_mode & 0o777 == 0o600
