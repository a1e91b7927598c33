"""Self-signed certificates for the parties of one run."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.files import write_atomically

_VALID = datetime.timedelta(days=30)
_CLOCK_SKEW = datetime.timedelta(hours=1)


def make_certificate(party_id: int, folder: Path) -> tuple[Path, Path]:
    """Write party<i>.key (readable by its owner only) and party<i>.pem; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"party{party_id}")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = folder / f"party{party_id}.key", folder / f"party{party_id}.pem"
    pem = serialization.Encoding.PEM
    write_atomically(
        key_file,
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        mode=0o600,
    )
    write_atomically(certificate_file, certificate.public_bytes(pem))
    return key_file, certificate_file
