"""Certificates of the local cluster: one CA, a certificate for each part, all of a kind."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.files import write_atomically
from tests.cluster.local.layout import ADMIN, NODE_NAME, Layout

LIFETIME = dt.timedelta(days=3650)
SPARE = dt.timedelta(days=2)
AUTHORITY = "ca"
SERVICE_ACCOUNTS = "service-accounts"
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Identity:
    """Whom a certificate speaks for."""

    name: str
    """The file name without its ending."""
    user: str
    group: str = ""
    hosts: tuple[str, ...] = ()
    """Names and addresses it may serve at; none for a client."""


def identities(layout: Layout) -> tuple[Identity, ...]:
    """Return everybody who needs a certificate."""
    local = ("127.0.0.1", "localhost")
    kubernetes = tuple(
        "kubernetes.default.svc.cluster.local".rsplit(".", cut)[0] for cut in range(5)
    )
    return (
        Identity(
            "apiserver",
            "kube-apiserver",
            "",
            (*local, layout.node_ip, layout.service_ip, *kubernetes),
        ),
        Identity("apiserver-client", "kube-apiserver-client", "system:masters"),
        Identity("etcd", "etcd", "", local),
        Identity("controller-manager", "system:kube-controller-manager", "", local),
        Identity("scheduler", "system:kube-scheduler", "", local),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes"),
        Identity("kubelet-server", NODE_NAME, "", (*local, layout.node_ip, NODE_NAME)),
        Identity("admin", ADMIN, "system:masters"),
    )


def certificate_file(folder: Path, name: str) -> Path:
    """Return where a certificate is kept."""
    return folder / f"{name}.crt"


def key_file(folder: Path, name: str) -> Path:
    """Return where a private key is kept."""
    return folder / f"{name}.key"


def faults(layout: Layout, now: dt.datetime) -> list[str]:
    """Return the names of what is missing, damaged, foreign or about to expire."""
    folder = layout.pki
    authority = _load(folder, AUTHORITY, now)
    found = [] if authority is not None else [AUTHORITY]
    if not _is_key_pair(folder, SERVICE_ACCOUNTS):
        found.append(SERVICE_ACCOUNTS)
    for identity in identities(layout):
        pair = _load(folder, identity.name, now)
        if authority is None or pair is None or not _is_for(pair[0], identity, authority[0]):
            found.append(identity.name)
    return found


def mend(layout: Layout, now: dt.datetime) -> None:
    """Make anew whatever has a fault; a new CA makes everything else new, too."""
    folder = layout.pki
    faulty = faults(layout, now)
    authority = _load(folder, AUTHORITY, now) or _make_authority(folder, now)
    if SERVICE_ACCOUNTS in faulty:
        _write_key(folder, SERVICE_ACCOUNTS, ec.generate_private_key(ec.SECP256R1()))
    for identity in identities(layout):
        if identity.name in faulty:
            _issue(folder, identity, authority, now)


def _is_key_pair(folder: Path, name: str) -> bool:
    try:
        key = serialization.load_pem_private_key(key_file(folder, name).read_bytes(), None)
        public = serialization.load_pem_public_key((folder / f"{name}.pub").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(key, Key) and key.public_key() == public


def _is_for(certificate: x509.Certificate, identity: Identity, authority: x509.Certificate) -> bool:
    return _issued_by(certificate, authority) and _serves(certificate, identity)


def _load(folder: Path, name: str, now: dt.datetime) -> tuple[x509.Certificate, Key] | None:
    """Return a certificate and its key if both are whole, fit each other and are in date."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file(folder, name).read_bytes())
        key = serialization.load_pem_private_key(key_file(folder, name).read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, Key):
        return None
    fits = certificate.public_key() == key.public_key()
    in_date = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - SPARE
    return (certificate, key) if fits and in_date else None


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is replaced
        return False
    return True


def _serves(certificate: x509.Certificate, identity: Identity) -> bool:
    if not identity.hosts:
        return True
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return set(names) == set(_alternative_names(identity))


def _alternative_names(identity: Identity) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in identity.hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _builder(subject: x509.Name, key: Key, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SPARE)
        .not_valid_after(now + LIFETIME)
    )


def _make_authority(folder: Path, now: dt.datetime) -> tuple[x509.Certificate, Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tidegate-local-cluster")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, key, now)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder, AUTHORITY, certificate, key)
    return certificate, key


def _issue(
    folder: Path,
    identity: Identity,
    authority: tuple[x509.Certificate, Key],
    now: dt.datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    words = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    if identity.group:
        words.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    issuer, issuer_key = authority
    builder = (
        _builder(x509.Name(words), key, now)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(BOTH), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if identity.hosts:
        names = x509.SubjectAlternativeName(_alternative_names(identity))
        builder = builder.add_extension(names, critical=False)
    _write(folder, identity.name, builder.sign(issuer_key, hashes.SHA256()), key)


def _write(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> None:
    _write_key(folder, name, key)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    write_atomically(certificate_file(folder, name), pem, 0o644)


def _write_key(folder: Path, name: str, key: Key) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomically(key_file(folder, name), pem)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_atomically(folder / f"{name}.pub", public, 0o644)
