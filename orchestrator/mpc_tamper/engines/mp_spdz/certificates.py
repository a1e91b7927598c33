"""Keys and certificates as MP-SPDZ expects them: Player-Data/P<i>.key, P<i>.pem and a name by subject hash.

Each party trusts the certificates of its folder, self-signed with the subject CN=P<i>, and looks them up under
OpenSSL's name for a subject, as c_rehash makes it: the first four bytes of the SHA-1 of the canonical subject,
little-endian.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.files import make_folder, write_atomically
from mpc_tamper.engines.certificates import self_signed

_COMMON_NAME = bytes.fromhex("0603550403")  # DER of the object identifier 2.5.4.3
_SEQUENCE, _SET, _UTF8_STRING = 0x30, 0x31, 0x0C


def make_certificate(party_id: int, folder: Path) -> tuple[Path, Path]:
    """Write a fresh P-256 key, readable by its owner only, and its certificate; return their paths."""
    private, certificate = self_signed(f"P{party_id}")
    key_path, certificate_path = folder / f"P{party_id}.key", folder / f"P{party_id}.pem"
    write_atomically(key_path, private)
    write_atomically(certificate_path, certificate, public=True)
    link_by_subject(f"P{party_id}", folder)
    return key_path, certificate_path


def install_certificates(party_id: int, key: Path, certificates: Sequence[Path], folder: Path) -> None:
    """Put a party's own key and the certificates of parties 0, 1 and 2 where MP-SPDZ looks for them.

    Raises UsageError for a certificate that MP-SPDZ would not take.
    """
    make_folder(folder)
    for other, source in enumerate(certificates):
        install_party(other, source, folder)
    write_atomically(folder / f"P{party_id}.key", _read(key, f"party {party_id}'s key"))


def install_party(party_id: int, certificate: Path, folder: Path) -> None:
    """Put a party's certificate where MP-SPDZ looks for it. Raises UsageError."""
    content = _read(certificate, f"party {party_id}'s certificate")
    _check_name(certificate, content, party_id)
    write_atomically(folder / f"P{party_id}.pem", content, public=True)
    link_by_subject(f"P{party_id}", folder)


def install_client(certificate: Path, folder: Path) -> None:
    """Put a client's certificate C<i>.pem where MP-SPDZ looks for it. Raises UsageError."""
    content = _read(certificate, "a client's certificate")
    try:
        name = _common_name(x509.load_pem_x509_certificate(content))
    except ValueError as exc:
        raise UsageError(f"{certificate}: expected a client's certificate in PEM format, got something else") from exc
    if name != certificate.stem or not re.fullmatch(r"C[0-9]{1,9}", name):
        raise UsageError(
            f"{certificate}: expected a file C<i>.pem with a certificate for the name C<i>, a number by which "
            f"MP-SPDZ knows the client, got one for {name}; make one (mpc-tamper client-certificate C1)"
        )
    write_atomically(folder / f"{name}.pem", content, public=True)
    link_by_subject(name, folder)


def link_by_subject(name: str, folder: Path) -> None:
    """Give the certificate <name>.pem of a party or client the name by which OpenSSL looks for it."""
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    link = folder / f"{subject_hash(_common_name(certificate))}.0"
    link.unlink(missing_ok=True)
    link.symlink_to(f"{name}.pem")


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{path}: expected {what}: {exc.strerror}") from exc


def _check_name(path: Path, content: bytes, party_id: int) -> None:
    """A subject of one common name, and P<i> as that name or as an alternative one, which comes first."""
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError as exc:
        raise UsageError(f"{path}: expected party {party_id}'s certificate in PEM format, got something else") from exc
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternatives.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = [_common_name(certificate)]
    if len(list(certificate.subject)) != 1 or f"P{party_id}" not in names:
        raise UsageError(
            f"{path}: expected a certificate for the name P{party_id}, which MP-SPDZ asks of party {party_id}, got one "
            f"for {', '.join(names)}; make a new one (mpc-tamper certificate)"
        )


def _common_name(certificate: x509.Certificate) -> str:
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def subject_hash(common_name: str) -> str:
    """OpenSSL's hash of the subject CN=common_name, eight hex digits. Short ASCII names only."""
    value = common_name.lower().encode()  # canonical: lower case
    attribute = _der(_SEQUENCE, _COMMON_NAME + _der(_UTF8_STRING, value))
    digest = hashlib.sha1(_der(_SET, attribute), usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _der(tag: int, content: bytes) -> bytes:
    """One DER element with a length below 128."""
    return bytes([tag, len(content)]) + content
