"""A CA of an installation's own, made on the spot, and with it the certificates of its servers.

For development, tests and closed sites: who has its folder can be any of the servers. A site with a CA of its
own puts its files in the place of these, and they stay (docs/operations.md).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.native.keys import write_private

SERVERS = {
    "rabbitmq": ("rabbitmq", "localhost", "127.0.0.1"),
    "postgres": ("postgres", "localhost", "127.0.0.1"),
    "redis": ("redis", "localhost", "127.0.0.1"),
    "gateway": ("gateway", "localhost", "127.0.0.1"),
}
"""Whom each certificate is for: the name in the containers' network, and this host, where it is published."""
CA_DAYS, SERVER_DAYS, RENEWED_BEFORE_DAYS = 3650, 397, 30


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate, and the private key that signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, now: datetime, name: str = "VssID development CA") -> Authority:
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, key.public_key(), now, CA_DAYS).issuer_name(_name(name))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def kept_in(cls, folder: Path) -> Authority | None:
        """That of ``folder``, if there is one."""
        if not (folder / "ca.crt").exists():
            return None
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(certificate, key)

    def keep_in(self, folder: Path) -> None:
        """Write it into ``folder``, for the owner alone."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        write_private(folder / "ca.key", _private_pem(self.key))
        write_private(folder / "ca.crt", self.pem)

    @property
    def pem(self) -> str:
        """The certificate by which clients know what this CA signed."""
        return _pem(self.certificate)

    def issued(self, names: Sequence[str], now: datetime) -> tuple[str, str]:
        """A server's certificate for these names and addresses, and its private key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(names[0], key.public_key(), now, SERVER_DAYS).issuer_name(self.certificate.subject)
        own_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(own_key, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(server, critical=False)
        builder = builder.add_extension(_alternatives(names), critical=False)
        return _pem(builder.sign(self.key, hashes.SHA256())), _private_pem(key)

    def vouches_for(self, pem: str, names: Sequence[str], now: datetime) -> bool:
        """Whether this CA issued the certificate for exactly these names, and it is valid for a while yet."""
        certificate = x509.load_pem_x509_certificate(pem.encode())
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return held == _alternatives(names) and _lasts(certificate, now)


def write(authority_folder: Path, folder: Path, now: datetime, mode: int) -> None:
    """Write ``tls_ca`` and each server's certificate and private key into ``folder``: what is missing, and
    what ends soon. Where ``tls_ca`` is not of our making all are the site's own, and stay."""
    ca, authority = folder / "tls_ca", Authority.kept_in(authority_folder)
    if ca.exists() and (authority is None or ca.read_text() != authority.pem):
        return
    if authority is None or not _lasts(authority.certificate, now):
        authority = Authority.made(now)
        authority.keep_in(authority_folder)
        write_private(ca, authority.pem, mode)
    elif not ca.exists():
        write_private(ca, authority.pem, mode)
    for server, names in SERVERS.items():
        file = folder / f"certificate_{server}"
        if not file.exists() or not authority.vouches_for(file.read_text(), names, now):
            certificate, key = authority.issued(names, now)
            write_private(folder / f"private_key_{server}", key, mode)
            write_private(file, certificate, mode)


def _builder(name: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in names])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _lasts(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now > timedelta(days=RENEWED_BEFORE_DAYS)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
