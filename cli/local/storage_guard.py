"""Protects the ports of SeaweedFS: tokens for its filer and volumes, a certificate for everything else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cli.local.home import LOOPBACK
from core.errors import ConfigurationError
from core.files import write_atomically

#: SeaweedFS's own names of the keys that it signs its tokens with.
_TOKENS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
_PARTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
_YEARS = 50


def guard(secret: str, pem: Path) -> Mapping[str, str]:
    """The environment with which SeaweedFS requires tokens derived from ``secret``, and the certificate ``pem``.

    The master's HTTP port does not support tokens; it requires the certificate, as every gRPC port does."""
    path = str(pem)
    tls = {"WEED_GRPC_CA": path, "WEED_HTTPS_MASTER_CA": path}
    for part in ("HTTPS_MASTER", *(f"GRPC_{part}" for part in _PARTS)):
        tls |= {f"WEED_{part}_CERT": path, f"WEED_{part}_KEY": path}
    tokens = {f"WEED_{name}": hmac.digest(secret.encode(), name.encode(), hashlib.sha256).hex() for name in _TOKENS}
    return {**tls, **tokens}


def certificate(path: Path) -> None:
    """Create a self-signed certificate with its key, readable only by this user, unless it exists.

    Raises `ConfigurationError` if the wheel is not installed."""
    if path.exists():
        return
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        hint = "Install it with: pip install 'chorus-speech[embedded]'"
        raise ConfigurationError(
            f"The package cryptography is not installed. {hint}", code="embedded_missing"
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chorus")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK)), x509.DNSName("localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(hosts, critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(path, made.public_bytes(encoding) + private, mode=0o600)
