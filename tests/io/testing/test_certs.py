"""Certificates on demand: what is in them, and that OpenSSL accepts and refuses them as it should."""

from __future__ import annotations

import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from aiomongo_tls.testing import Certificate, CertKit


@pytest.fixture(scope="module")
def kit() -> CertKit:
    return CertKit()


def shake_hands(
    server: Certificate,
    *,
    trust: bytes,
    name: str = "localhost",
    client: Certificate | None = None,
    clients: bytes = b"",
) -> ssl.SSLObject:
    """A TLS handshake in memory; raises what either side raises."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(server.path, password=server.password)
    if clients:
        server_context.verify_mode = ssl.CERT_REQUIRED
        server_context.load_verify_locations(cadata=clients.decode())
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(cadata=trust.decode())
    if client is not None:
        client_context.load_cert_chain(client.path, password=client.password)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    far = server_context.wrap_bio(to_server, to_client, server_side=True)
    done = set[ssl.SSLObject]()
    while len(done) < 2:
        for side in (near, far):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    return far


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_server_certificate_is_for_this_machine(kit: CertKit, name: str) -> None:
    """Without names it covers the ways to say "this machine", and nothing else."""
    shake_hands(kit.server(), trust=kit.ca_pem, name=name)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(kit.server(), trust=kit.ca_pem, name="db.example.com")


def test_names_of_a_server(kit: CertKit) -> None:
    """Host names, wildcards and addresses are checked as such."""
    certificate = kit.server("db.example.com", "*.example.net", "10.0.0.7")
    for name in ("db.example.com", "a.example.net", "10.0.0.7"):
        shake_hands(certificate, trust=kit.ca_pem, name=name)
    for name in ("localhost", "example.net", "10.0.0.8"):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(certificate, trust=kit.ca_pem, name=name)


def test_a_stranger_is_not_trusted(kit: CertKit) -> None:
    """A certificate of another kit fails where one of this kit passes, for servers and for clients."""
    stranger = kit.stranger()
    assert stranger is kit.stranger()
    with pytest.raises(ssl.SSLCertVerificationError, match=r"local issuer|self-signed"):
        shake_hands(stranger.server(), trust=kit.ca_pem)
    shake_hands(kit.server(), trust=kit.ca_pem, client=kit.client(), clients=kit.ca_pem)
    with pytest.raises(ssl.SSLError):
        shake_hands(kit.server(), trust=kit.ca_pem, client=stranger.client(), clients=kit.ca_pem)


@pytest.mark.parametrize(("kind", "says"), [("expired", "expired"), ("not_yet_valid", "not yet valid")])
def test_out_of_its_time(kit: CertKit, kind: str, says: str) -> None:
    """An expired certificate, or one of the future, is refused for that reason."""
    with pytest.raises(ssl.SSLCertVerificationError, match=says):
        shake_hands(kit.server(**{kind: True}), trust=kit.ca_pem)


def test_a_chosen_time(kit: CertKit) -> None:
    """The validity can be chosen to the second."""
    first, last = datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC)
    details = kit.server(not_before=first, not_after=last).details
    assert (details.not_before, details.not_after) == (first, last)


def test_an_intermediate_authority(kit: CertKit) -> None:
    """The chain leads over an intermediate, and does not hold without it."""
    certificate = kit.server(intermediate=True)
    assert certificate.certificate_chain_pem.count(b"BEGIN CERTIFICATE") == 2
    shake_hands(certificate, trust=kit.ca_pem)
    leaf = certificate.certificate_chain_pem.split(b"-----END")[0] + b"-----END CERTIFICATE-----\n"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(Certificate(leaf, certificate.private_key_pem, kit.ca_pem), trust=kit.ca_pem)


def test_a_self_signed_certificate_is_its_own_authority(kit: CertKit) -> None:
    """It is trusted by whoever has it as CA, not by whoever trusts the kit."""
    certificate = kit.server(self_signed=True)
    shake_hands(certificate, trust=certificate.ca_pem)
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shake_hands(certificate, trust=kit.ca_pem)


def test_an_encrypted_key(kit: CertKit) -> None:
    """A key with a password opens with it, and not with another one."""
    certificate = kit.client("ada", password="sesame")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in certificate.pem
    shake_hands(kit.server(), trust=kit.ca_pem, client=certificate, clients=kit.ca_pem)
    certificate = Certificate(certificate.certificate_chain_pem, certificate.private_key_pem, kit.ca_pem, "wrong")
    with pytest.raises(ssl.SSLError):
        shake_hands(kit.server(), trust=kit.ca_pem, client=certificate, clients=kit.ca_pem)


@pytest.mark.parametrize(
    ("subject", "spelled"),
    [
        ("CN=billing,O=Example", "CN=billing,O=Example"),
        ({"CN": "billing", "O": "Example"}, "CN=billing,O=Example"),
        ("CN=a\\, b,OU=y+OU=x,DC=example,DC=com", "CN=a\\, b,OU=y+OU=x,DC=example,DC=com"),
        ("emailAddress=ada@example.com,serialNumber=7,UID=ada", "emailAddress=ada@example.com,serialNumber=7,UID=ada"),
    ],
)
def test_a_chosen_subject(kit: CertKit, subject: str, spelled: str) -> None:
    """A subject is written as MongoDB's user name is, and comes back as that."""
    assert kit.client(subject=subject).subject == spelled


def test_subjects_that_make_no_sense(kit: CertKit) -> None:
    """An unknown attribute or an empty subject is an error that says so."""
    with pytest.raises(ValueError, match="XX"):
        kit.client(subject={"XX": "1"})
    with pytest.raises(ValueError, match="needs a subject"):
        kit.client(subject="")
    with pytest.raises(ValueError, match="'=ada' is no subject"):
        kit.client(subject="=ada")


def test_a_kind_with_a_typing_error(kit: CertKit) -> None:
    """It is not taken for a certificate without anything special."""
    with pytest.raises(TypeError, match="expird; known are expired, not_yet_valid"):
        kit.server(expird=True)  # type: ignore[call-arg]


def test_a_long_host_name(kit: CertKit) -> None:
    """A name that is too long for a CN is a name of the server all the same."""
    name = "primary.database." + "x" * 60 + ".example.com"
    shake_hands(kit.server(name), trust=kit.ca_pem, name=name)


def test_clients_and_servers_differ(kit: CertKit) -> None:
    """A client's certificate is no server's: mongod and OpenSSL look at the extended key usage."""
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(kit.client("localhost"), trust=kit.ca_pem)


def test_the_same_certificate_is_made_once(kit: CertKit) -> None:
    """Asking again gives the same object; asking for something else does not."""
    assert kit.client("ada") is kit.client("ada")
    assert kit.client("ada") is not kit.client("bob")
    assert kit.client("ada") is not kit.client("ada", expired=True)


def test_a_ca_of_ones_own() -> None:
    """A trustme authority that a test suite has already can be used."""
    ca = trustme.CA()
    kit = CertKit(ca)
    assert kit.ca_pem == ca.cert_pem.bytes()
    shake_hands(kit.server(), trust=ca.cert_pem.bytes())


def test_an_intermediate_of_ones_own() -> None:
    """An authority below another one works too: its root is what to trust, and the chain leads there."""
    root = trustme.CA()
    kit = CertKit(root.create_child_ca())
    assert kit.ca_pem == root.cert_pem.bytes()
    shake_hands(kit.server(), trust=root.cert_pem.bytes(), client=kit.client(), clients=kit.ca_pem)
    shake_hands(kit.server(intermediate=True), trust=root.cert_pem.bytes())


def test_files(kit: CertKit, tmp_path: Path) -> None:
    """Files hold key and chain, and only their owner may read them."""
    certificate = kit.client("files")
    for path in (Path(certificate.path), certificate.write(tmp_path, "me.pem")):
        assert path.read_bytes() == certificate.pem
        assert path.stat().st_mode & 0o777 == 0o600
    assert Path(certificate.path).parent.stat().st_mode & 0o777 == 0o700
    assert Path(kit.ca_path).read_bytes() == kit.ca_pem
    assert x509.load_pem_x509_certificate(certificate.certificate_chain_pem).issuer == (
        x509.load_pem_x509_certificate(kit.ca_pem).subject
    )


def test_files_are_removed_at_exit() -> None:
    """Nothing is left on the disk when the process ends, also after a fork."""
    script = """
import os
from aiomongo_tls.testing import CertKit
path = CertKit().client().path
if os.fork() == 0:
    raise SystemExit
os.wait()
assert os.path.exists(path), "a child removed its parent's files"
print(path)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()


def test_without_the_extra_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing from the facade says which extra is missing."""
    import aiomongo_tls.testing

    monkeypatch.setitem(sys.modules, "trustme", None)
    monkeypatch.delitem(sys.modules, "aiomongo_tls.testing.certs")
    monkeypatch.delitem(vars(aiomongo_tls.testing), "CertKit", raising=False)
    with pytest.raises(ImportError, match=r'pip install "aiomongo-tls\[testing\]"'):
        aiomongo_tls.testing.__getattr__("CertKit")
