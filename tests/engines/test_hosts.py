"""The hosts file, and what is checked of keys and certificates before a party starts."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from mpc_tamper.core.errors import PortInUse, UsageError
from mpc_tamper.engines.certificates import check_credentials, fingerprint, make_certificate, readable_by_others
from mpc_tamper.engines.hosts import Address, read_hosts
from mpc_tamper.engines.mp_spdz import certificates as mp_spdz_certificates
from mpc_tamper.engines.mp_spdz.certificates import install_certificates
from mpc_tamper.engines.rep3.transport.tls import listen


@pytest.fixture
def hosts(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "hosts"
        path.write_text(text)
        return path

    return write


def test_names_and_addresses_of_both_kinds(hosts):
    path = hosts("# ours\n\n alice.example.org:14000 # party 0\n192.0.2.7:1\n[2001:db8::7]:65535\n")
    addresses = read_hosts(path)
    assert addresses == (("alice.example.org", 14000), ("192.0.2.7", 1), ("2001:db8::7", 65535))
    assert [str(a) for a in addresses] == ["alice.example.org:14000", "192.0.2.7:1", "[2001:db8::7]:65535"]


def test_one_host_may_have_several_ports(hosts):
    assert read_hosts(hosts("localhost:1\nlocalhost:2\nlocalhost:3")) == tuple(("localhost", i) for i in (1, 2, 3))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("alice", "line 2: expected HOST:PORT"),
        ("alice:", "line 2: expected HOST:PORT"),
        (":14000", "line 2: expected HOST:PORT"),
        ("alice:14000 bob:14000", "line 2: expected HOST:PORT"),
        ("alice:-1", "line 2: expected HOST:PORT"),
        ("2001:db8::7:14000", "line 2: expected HOST:PORT, or [HOST]:PORT for an IPv6 address"),
        ("alice:0", "line 2: expected a port from 1 to 65535, got 0"),
        ("alice:65536", "line 2: expected a port from 1 to 65535, got 65536"),
        ("http://alice:80", "line 2: expected"),
        ("al/ice:80", "line 2: expected a host name or an IP address, got 'al/ice'"),
        ("192.0.2.300:80", "line 2: expected a host name or an IP address, got '192.0.2.300'"),
        ("[192.0.2.1]:80", "line 2: expected a host name or an IP address"),
        ("[2001:zz::]:80", "line 2: expected a host name or an IP address"),
        ("first:1", "expected different addresses, got first:1 for parties 0 and 1"),
        ("", "expected 3 lines HOST:PORT, one per party, got 2"),
        ("second:1\nthird:1", "expected 3 lines HOST:PORT, one per party, got 4"),
    ],
)
def test_a_malformed_line_is_named(hosts, line, message):
    with pytest.raises(UsageError) as caught:
        read_hosts(hosts(f"first:1\n{line}\nlast:1\n"))
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="expected a readable hosts file"):
        read_hosts(tmp_path / "none")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "localhost"])
def test_a_port_in_use(host):
    try:
        first = listen(0, Address(host, 0), "")
    except PortInUse as exc:
        pytest.skip(str(exc))
    with first:
        address = Address(host, first.getsockname()[1])
        with pytest.raises(PortInUse) as caught:
            listen(1, address, "do this")
    assert f"party 1 cannot listen on {address}" in str(caught.value)
    assert str(caught.value).endswith("; do this")


def test_an_address_of_another_host_cannot_be_listened_on():
    with pytest.raises(PortInUse, match=r"party 1 cannot listen on 192\.0\.2\.7:14000"):
        listen(1, Address("192.0.2.7", 14000), "")


@pytest.fixture
def credentials(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    keys, certificates = zip(*(make_certificate(i, tmp_path) for i in range(3)), strict=True)
    return list(keys), list(certificates)


def test_good_credentials(credentials):
    keys, certificates = credentials
    for i in range(3):
        check_credentials(i, keys[i], certificates)
        assert not readable_by_others(keys[i])


def test_the_same_certificates_serve_mp_spdz(credentials, tmp_path):
    keys, certificates = credentials
    install_certificates(1, keys[1], certificates, tmp_path / "Player-Data")
    assert (tmp_path / "Player-Data" / "P2.pem").read_bytes() == certificates[2].read_bytes()


def test_a_fingerprint_is_of_the_whole_certificate(credentials):
    _, certificates = credentials
    der = x509.load_pem_x509_certificate(certificates[0].read_bytes()).public_bytes(serialization.Encoding.DER)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    assert fingerprint(certificates[0]).replace(":", "").lower() == digest.finalize().hex()


def test_a_missing_certificate(credentials):
    keys, certificates = credentials
    certificates[2].unlink()
    with pytest.raises(UsageError, match=r"party2\.pem: expected party 2's certificate: No such file"):
        check_credentials(0, keys[0], certificates)


def test_a_key_in_place_of_a_certificate_and_the_other_way_round(credentials):
    keys, certificates = credentials
    with pytest.raises(UsageError, match="expected party 1's certificate in PEM format"):
        check_credentials(0, keys[0], [certificates[0], keys[1], certificates[2]])
    with pytest.raises(UsageError, match="expected this party's key in PEM format"):
        check_credentials(0, certificates[0], certificates)


def test_a_key_of_another_party(credentials):
    keys, certificates = credentials
    with pytest.raises(UsageError, match=r"party1\.key: expected the key that .*party0\.pem was made with"):
        check_credentials(0, keys[1], certificates)


def test_a_missing_key_and_one_of_another_kind(credentials, tmp_path):
    _, certificates = credentials
    with pytest.raises(UsageError, match="expected this party's key: No such file"):
        check_credentials(0, tmp_path / "none", certificates)
    key = tmp_path / "other.key"
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, serialization.NoEncryption()))
    with pytest.raises(UsageError, match="expected an elliptic-curve key"):
        check_credentials(0, key, certificates)
    locked = serialization.BestAvailableEncryption(b"password")
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, locked))
    with pytest.raises(UsageError, match="without a password"):
        check_credentials(0, key, certificates)


def test_one_certificate_for_two_parties(credentials):
    keys, certificates = credentials
    with pytest.raises(UsageError, match="expected a certificate of party 2's own"):
        check_credentials(0, keys[0], [certificates[0], certificates[1], certificates[1]])


def test_a_certificate_that_has_expired(credentials, tmp_path):
    keys, certificates = credentials
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "P1")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    old = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    certificates[1].write_bytes(old.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(UsageError, match="valid today, got one for 2020-01-01 to 2020-01-31"):
        check_credentials(0, keys[0], certificates)


def test_a_key_that_others_can_read(credentials):
    keys, _ = credentials
    keys[0].chmod(0o640)
    assert readable_by_others(keys[0])


def test_both_engines_make_certificates_of_one_kind(tmp_path: Path) -> None:
    ours, theirs = make_certificate(1, tmp_path)[1], mp_spdz_certificates.make_certificate(1, tmp_path)[1]
    first, second = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (ours, theirs))
    assert first.subject == second.subject
    assert first.serial_number != second.serial_number
    assert [e.value for e in first.extensions] == [e.value for e in second.extensions]
    valid = [(c.not_valid_after_utc - c.not_valid_before_utc) for c in (first, second)]
    assert valid[0] == valid[1]
