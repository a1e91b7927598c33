"""Keys and certificates as MP-SPDZ expects them: Player-Data/P<i>.key, P<i>.pem and a name by subject hash.

Each party trusts the certificates of its folder, self-signed with the subject CN=P<i>, and looks them up under
OpenSSL's name for a subject, as c_rehash makes it: the first four bytes of the SHA-1 of the canonical subject,
little-endian.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID_DAYS = 30  # for hosts that exchange certificates ahead of a run
_COMMON_NAME = bytes.fromhex("0603550403")  # DER of the object identifier 2.5.4.3
_SEQUENCE, _SET, _UTF8_STRING = 0x30, 0x31, 0x0C


def make_certificate(party_id: int, folder: Path) -> tuple[Path, Path]:
    """Write a fresh P-256 key, readable by its owner only, and its certificate; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"P{party_id}")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_path, certificate_path = folder / f"P{party_id}.key", folder / f"P{party_id}.pem"
    handle = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    link_by_subject(party_id, folder)
    return key_path, certificate_path


def link_by_subject(party_id: int, folder: Path) -> None:
    """Give the certificate of a party the name by which OpenSSL looks for it."""
    link = folder / f"{subject_hash(f'P{party_id}')}.0"
    link.unlink(missing_ok=True)
    link.symlink_to(f"P{party_id}.pem")


def subject_hash(common_name: str) -> str:
    """OpenSSL's hash of the subject CN=common_name, eight hex digits. Short ASCII names only."""
    value = common_name.lower().encode()  # canonical: lower case
    attribute = _der(_SEQUENCE, _COMMON_NAME + _der(_UTF8_STRING, value))
    digest = hashlib.sha1(_der(_SET, attribute), usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _der(tag: int, content: bytes) -> bytes:
    """One DER element with a length below 128."""
    return bytes([tag, len(content)]) + content
