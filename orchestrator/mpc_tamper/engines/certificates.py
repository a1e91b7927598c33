"""Self-signed certificates of parties, for every engine: made for one run, or once and exchanged between hosts.

Parties name each other P0, P1 and P2, as MP-SPDZ does.
"""

from __future__ import annotations

import codecs
import datetime
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.files import reported, write_atomically

VALID_DAYS = 30  # for hosts that exchange certificates ahead of a run
_LARGEST = 1 << 20  # bytes of a key or certificate
_CLOCK_SKEW = datetime.timedelta(hours=1)


def self_signed(common_name: str, valid_days: int = VALID_DAYS) -> tuple[bytes, bytes]:
    """A fresh P-256 key and its certificate with this name as its subject, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(pem)


def key_file(folder: Path, party_id: int) -> Path:
    return folder / f"party{party_id}.key"


def certificate_file(folder: Path, party_id: int) -> Path:
    return folder / f"party{party_id}.pem"


def make_certificate(party_id: int, folder: Path, *, valid_days: int = VALID_DAYS) -> tuple[Path, Path]:
    """Write party<i>.key (readable by its owner only) and party<i>.pem; return both paths.

    The subject is P<i>, the name that MP-SPDZ asks for, so that one certificate serves both engines.
    """
    return write_certificate(f"P{party_id}", key_file(folder, party_id), certificate_file(folder, party_id), valid_days)


def write_certificate(
    common_name: str, key_path: Path, certificate_path: Path, valid_days: int = VALID_DAYS
) -> tuple[Path, Path]:
    """A fresh key, readable by its owner only, and its certificate; return both paths."""
    private, certificate = self_signed(common_name, valid_days)
    write_atomically(key_path, private)
    write_atomically(certificate_path, certificate, public=True)
    return key_path, certificate_path


def fingerprint(certificate: Path) -> str:
    """SHA-256 of the certificate, as openssl x509 -fingerprint -sha256 prints it, for people to compare."""
    return _read_certificate(certificate, "a").fingerprint(hashes.SHA256()).hex(":").upper()


def der(certificate: Path, whose: str = "a") -> bytes:
    """The certificate as TLS compares it. Text before it and a byte-order mark are no part of it. Raises UsageError."""
    return _read_certificate(certificate, whose).public_bytes(serialization.Encoding.DER)


def readable_by_others(key: Path) -> bool:
    with reported(key, "a key that can be read"):
        return key.stat().st_mode & 0o077 != 0


def check_credentials(party_id: int, key: Path, certificates: Sequence[Path]) -> None:
    """What can be known before the first connection. Raises UsageError.

    certificates: of parties 0, 1 and 2, in order.
    """
    found = [_read_certificate(path, f"party {party}'s") for party, path in enumerate(certificates)]
    now = datetime.datetime.now(datetime.UTC)
    for party, certificate in enumerate(found):
        path, begin, end = certificates[party], certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begin <= now <= end:
            raise UsageError(
                f"{path}: expected a certificate of party {party} that is valid today, got one for {begin:%Y-%m-%d} to "
                f"{end:%Y-%m-%d}; check the clock, or exchange new ones (mpc-tamper certificate)"
            )
        if certificate in found[:party]:
            other = found.index(certificate)
            raise UsageError(
                f"{path}: expected a certificate of party {party}'s own, got the one that {certificates[other]} shows "
                f"for party {other}; exchange them again"
            )
    private = _read_key(key)
    if private.public_key() != found[party_id].public_key():
        raise UsageError(
            f"{key}: expected the key that {certificates[party_id]} was made with, got another; give this host's own "
            f"key, and as party {party_id}'s certificate the one made with it"
        )
    own = certificates[party_id]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(own, key)
    except OSError as exc:
        raise UsageError(
            f"{own} and {key}: expected files that OpenSSL reads, got: {exc.strerror or exc}; save them as plain PEM "
            "text, with nothing before -----BEGIN, or make new ones (mpc-tamper certificate)"
        ) from exc


def _content(path: Path, what: str, advice: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(f"{path}: expected {what}: {reason}; {advice}") from exc


def _read_certificate(path: Path, whose: str) -> x509.Certificate:
    advice = "its host makes it (mpc-tamper certificate) and sends it to the others"
    content = _content(path, f"{whose} certificate", advice)
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd fields, which TLS judges
            return x509.load_pem_x509_certificate(content.removeprefix(codecs.BOM_UTF8))
    except Exception as exc:
        raise UsageError(f"{path}: expected {whose} certificate in PEM format, got something else") from exc


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """What is wrong with a key is said without a word of it."""
    content = _content(path, "this party's key", "give the file that mpc-tamper certificate made")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except Exception as exc:
        raise UsageError(
            f"{path}: expected this party's key in PEM format, without a password, got something else "
            f"({type(exc).__name__}); make one (mpc-tamper certificate)"
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError(f"{path}: expected an elliptic-curve key, got another kind; make one (mpc-tamper certificate)")
    return key
