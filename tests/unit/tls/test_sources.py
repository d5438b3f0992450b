"""Which sources the options name, and what messages call them."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls.material import load_material
from aiomongo_tls.tls.sources import Named, sources_of


def refusal(**options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_material(TLSOptions(enabled=True, **options))
    assert "BEGIN" not in str(caught.value)
    return str(caught.value)


def test_files_are_called_by_their_options() -> None:
    """And content is not shown."""
    sources = sources_of(TLSOptions(ca_file="ca.pem", certificate_key_file=b"secret", certificate_file="me.crt"))
    assert sources.ca == Named("tlsCAFile", "ca.pem")
    assert sources.key == Named("tlsCertificateKeyFile", b"secret")
    assert sources.chain == Named("tlsCertificateFile", "me.crt")
    assert (str(sources.ca), str(sources.key)) == ("'ca.pem'", "the content given")


def test_an_identity_is_called_by_its_parts() -> None:
    """Its authorities take the place of tlsCAFile, which is used if it has none."""
    identity = TLSIdentity(key="me.key", chain="me.crt", ca="ca.pem", password="x")
    sources = sources_of(TLSOptions(identity=identity))
    assert (sources.key, sources.chain) == (Named("TLSIdentity.key", "me.key"), Named("TLSIdentity.chain", "me.crt"))
    assert (sources.ca, sources.password) == (Named("TLSIdentity.ca", "ca.pem"), "x")
    other = sources_of(TLSOptions(identity=TLSIdentity(key="me.pem"), ca_file="other.pem"))
    assert other.ca == Named("tlsCAFile", "other.pem")


def test_an_identity_is_as_good_as_files(kit: CertKit) -> None:
    """All forms of it give the same material."""
    ada = kit.client("ada")
    files = load_material(TLSOptions(enabled=True, ca_file=kit.ca_pem, certificate_key_file=ada.pem))
    for identity in (
        TLSIdentity(key=ada.pem, ca=kit.ca_pem),
        TLSIdentity(key=ada.private_key_pem, chain=ada.certificate_chain_pem.decode(), ca=kit.ca_path),
        TLSIdentity(key=ada.path, ca=kit.ca_pem, password=lambda: pytest.fail("asked")),
    ):
        assert load_material(TLSOptions(enabled=True, identity=identity)) == files


def test_messages_name_the_part(kit: CertKit) -> None:
    """Not an option that the user has not given."""
    ada, bob = kit.client("ada"), kit.client("bob")
    locked = kit.client("ada", password="secret")
    chain = ada.certificate_chain_pem

    def of(**parts: Any) -> str:
        return refusal(identity=TLSIdentity(**parts))

    assert of(key=chain).startswith("TLSIdentity.key: there is no private key")
    assert "give the certificate in TLSIdentity.chain and the key here" in of(key=chain)
    assert "or give it in TLSIdentity.chain" in of(key=ada.private_key_pem)
    assert "any certificate in the content given (TLSIdentity.chain)" in of(key=bob.private_key_pem, chain=chain)
    assert "give its password in TLSIdentity.password" in of(key=locked.pem)
    assert of(key=locked.pem, password="no").startswith("TLSIdentity.password is not the password")
    assert of(key=locked.pem, password=lambda: 5).startswith("TLSIdentity.password has to be str")
    assert of(key=ada.pem, ca=ada.private_key_pem).startswith("TLSIdentity.ca: there is no certificate")
    assert of(key="/nonexistent/me.pem").startswith("TLSIdentity.key: there is no file")


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("certificate_key_file", "tlsCertificateKeyFile"),
        ("certificate_file", "tlsCertificateFile"),
        ("certificate_key_file_password", "tlsCertificateKeyFilePassword"),
        ("ca_file", "tlsCAFile"),
    ],
)
def test_an_identity_beside_files_is_refused(option: str, name: str) -> None:
    """Where a provider's answer is the first that is seen of it, too."""
    options: dict[str, Any] = {option: "x", "identity": TLSIdentity(key="k", ca="ca.pem")}
    assert refusal(**options) == f"{name} and tls_identity say the same; leave one of them out"


def test_a_provider_cannot_be_asked_here() -> None:
    """Nobody awaits anything in a thread."""

    class Vault:
        async def identity(self) -> TLSIdentity:
            raise AssertionError

    assert "a provider (Vault) has to be awaited" in refusal(identity=Vault())
