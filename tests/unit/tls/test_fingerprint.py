"""The fingerprint: equal for what is equal to OpenSSL, different for everything else, and without secrets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import ServerName, TLSOptions
from aiomongo_tls.testing.certs import Certificate, CertKit
from aiomongo_tls.tls.fingerprint import fingerprint
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.trust import Trust


def taken(environ: dict[str, str] | None = None, **options: Any) -> str:
    wanted = TLSOptions(enabled=True, **options)
    environ = environ or {}
    return fingerprint(load_material(wanted, environ), wanted, environ)


def test_it_says_nothing_about_where_things_are(kit: CertKit, tmp_path: Path) -> None:
    """Another path, another form, comments, the order of authorities: the same content."""
    path = tmp_path / "all.pem"
    path.write_bytes(b"# comment\n" + kit.stranger().ca_pem + kit.ca_pem)
    der = ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())
    assert taken(ca_file=path) == taken(ca_file=kit.ca_pem + kit.stranger().ca_pem + kit.ca_pem)
    assert taken(ca_file=kit.ca_path) == taken(ca_file=kit.ca_pem) == taken(ca_file=der)


def test_key_and_password_are_not_in_it(kit: CertKit) -> None:
    """The certificate stands for its key; how that is kept makes no difference to the peer."""
    ada = kit.client("ada")
    key = serialization.load_pem_private_key(ada.private_key_pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert taken(ca_file=kit.ca_pem, certificate_key_file=ada.pem) == taken(
        ca_file=kit.ca_pem,
        certificate_key_file=locked,
        certificate_file=ada.certificate_chain_pem,
        certificate_key_file_password="secret",
    )


def test_everything_that_openssl_or_the_peer_would_notice_is_in_it(
    kit: CertKit, revocation_list: Callable[..., bytes]
) -> None:
    """No two of these may share a connection."""
    ada, ca = kit.client("ada"), kit.ca_pem
    variants = [
        taken(ca_file=ca),
        taken(ca_file=kit.stranger().ca_pem),
        taken(ca_file=ca + kit.stranger().ca_pem),
        taken(ca_file=ca, certificate_key_file=ada.pem),
        taken(ca_file=ca, certificate_key_file=kit.client("bob").pem),
        taken(ca_file=ca, certificate_key_file=ada.pem + ca),
        taken(ca_file=ca, crl_file=revocation_list(kit, ada.certificate_chain_pem)),
        taken(ca_file=ca, crl_file=revocation_list(kit, kit.client("bob").certificate_chain_pem)),
        taken(ca_file=ca, allow_invalid_hostnames=True),
        taken(ca_file=ca, allow_invalid_hostnames=True, allow_invalid_certificates=True),
        taken(ca_file=ca, revocation="soft"),
        taken(ca_file=ca, revocation="hard"),
        taken(ca_file=ca, disable_ocsp_endpoint_check=True),
        taken(ca_file=ca, disable_certificate_revocation_check=True),
        taken(allow_invalid_hostnames=True, allow_invalid_certificates=True),
        taken({"SSL_CERT_FILE": kit.ca_path}),
        taken({"SSL_CERT_FILE": kit.stranger().ca_path}),
        taken(),
    ]
    assert len(set(variants)) == len(variants)
    assert all(len(variant) == 64 for variant in variants)


def test_the_systems_store_counts_by_what_the_variables_name(kit: CertKit, tmp_path: Path) -> None:
    """The same content under another name is the same; a changed file is not."""
    path = tmp_path / "ca.pem"
    path.write_bytes(kit.ca_pem)
    first = taken({"SSL_CERT_FILE": str(path)})
    assert first == taken({"SSL_CERT_FILE": kit.ca_path})
    path.write_bytes(kit.stranger().ca_pem)
    assert taken({"SSL_CERT_FILE": str(path)}) != first


def test_a_supplied_context_counts_as_itself() -> None:
    """A token for each object, which is not used again for another one."""
    seen = set()
    for _ in range(20):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        token = taken(ssl_context=context)
        assert token == taken(ssl_context=context)
        assert token != taken(ssl_context=context, revocation="hard") != taken(ssl_context=context, revocation="soft")
        seen.add(token)
        del context
    assert len(seen) == 20


def test_no_part_can_pass_for_another(kit: CertKit) -> None:
    """A certificate to trust is not one to show."""
    ada = kit.client("ada")
    assert taken(ca_file=ada.certificate_chain_pem + kit.ca_pem) != taken(
        ca_file=kit.ca_pem, certificate_key_file=ada.pem
    )


def test_the_names_of_servers_are_in_it(kit: CertKit) -> None:
    """A server that is verified by another name is another server; beside a supplied context, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for rest in ({"ca_file": kit.ca_pem}, {"ssl_context": context}):
        variants = [
            taken(**rest),
            taken(server_names=(ServerName("h", 1, "a"),), **rest),
            taken(server_names=(ServerName("h", 1, "b"),), **rest),
            taken(server_names=(ServerName("h", 2, "a"),), **rest),
            taken(server_names=(ServerName("h", 0, "a"),), **rest),
            taken(server_names=(ServerName("h", None, "a"),), **rest),
            taken(server_names=(ServerName("g", 1, "a"),), **rest),
            taken(server_names=(ServerName("h", 1, "a"), ServerName("h", 2, "b")), **rest),
        ]
        assert len(set(variants)) == len(variants)
        one, other = ServerName("h", 1, "a"), ServerName("g", 2, "b")
        assert taken(server_names=(one, other), **rest) == taken(server_names=(other, one), **rest)


# -- Properties: what counts is written down as `Facts`, everything else is a matter of `Dress`.


@dataclass(frozen=True)
class Facts:
    """What tells one identity, or one way to trust, from another."""

    authorities: frozenset[str]
    client: str
    lists: frozenset[str]
    names: frozenset[ServerName]
    invalid_certificates: bool
    invalid_hostnames: bool
    revocation: str
    no_endpoint: bool
    no_revocation: bool


@dataclass(frozen=True)
class Dress:
    """How it is given: where, in which form, in which order, with which password."""

    by_path: bool
    as_text: bool
    comments: bool
    turned: bool
    locked: str
    apart: bool
    packed: bool
    by_identity: bool


SETS = {"max_size": 2}
# Keys are encrypted slowly on purpose, and the facts do not hang together.
fewer = settings(max_examples=settings().max_examples // 3)
FACTS = st.builds(
    Facts,
    authorities=st.frozensets(st.sampled_from(["one", "two", "three"]), **SETS),
    client=st.sampled_from(["", "ada", "bob", "renewed ada", "ada of two"]),
    lists=st.frozensets(st.sampled_from(["one", "two"]), **SETS),
    names=st.frozensets(
        st.builds(ServerName, st.sampled_from(["g", "h"]), st.sampled_from([0, 1]), st.sampled_from(["x", "y"])), **SETS
    ),
    invalid_certificates=st.booleans(),
    invalid_hostnames=st.booleans(),
    revocation=st.sampled_from(["off", "soft", "hard"]),
    no_endpoint=st.booleans(),
    no_revocation=st.booleans(),
)
DRESSES = st.builds(
    Dress,
    by_path=st.booleans(),
    as_text=st.booleans(),
    comments=st.booleans(),
    turned=st.booleans(),
    locked=st.sampled_from(["", "secret", "another secret"]),
    apart=st.booleans(),
    packed=st.booleans(),
    by_identity=st.booleans(),
)


class Wardrobe:
    """Certificates by their names here, and the forms that they can be given in."""

    def __init__(self, revocation_list: Callable[..., bytes], directory: Path) -> None:
        kits = {name: CertKit() for name in ("one", "two", "three")}
        self.authorities = {name: kit.ca_pem for name, kit in kits.items()}
        self.clients = {
            "ada": kits["one"].client("ada", intermediate=True),
            "bob": kits["one"].client("bob"),
            # Another kind makes another certificate for the same subject, with another key.
            "renewed ada": kits["one"].client("ada", intermediate=True, not_after=CertKit().client().details.not_after),
            "ada of two": kits["two"].client("ada", intermediate=True),
        }
        self.lists = {name: revocation_list(kits[name]) for name in ("one", "two")}
        self.directory = directory

    def take(self, facts: Facts, dress: Dress) -> str:
        """The fingerprint of these facts in this dress."""
        options = self.options(facts, dress)
        return fingerprint(load_material(options, {}), options, {})

    def options(self, facts: Facts, dress: Dress) -> TLSOptions:
        ca = self._dressed([self.authorities[name] for name in sorted(facts.authorities)], dress)
        names = sorted(facts.names, key=str)
        parts = self._client(self.clients[facts.client], dress) if facts.client else {}
        own: dict[str, Any] = {"ca_file": ca}
        if parts and dress.by_identity:
            own = {"identity": TLSIdentity(ca=ca, **parts)}
        elif parts:
            own["certificate_key_file"] = parts["key"]
            own["certificate_file"] = parts.get("chain")
            own["certificate_key_file_password"] = parts.get("password")
        return TLSOptions(
            enabled=True,
            crl_file=self._dressed([self.lists[name] for name in sorted(facts.lists)], dress),
            server_names=tuple(reversed(names) if dress.turned else names),
            allow_invalid_certificates=facts.invalid_certificates,
            allow_invalid_hostnames=facts.invalid_hostnames,
            revocation=facts.revocation,
            disable_ocsp_endpoint_check=facts.no_endpoint,
            disable_certificate_revocation_check=facts.no_revocation,
            **own,
        )

    def _client(self, client: Certificate, dress: Dress) -> dict[str, Any]:
        parts: dict[str, Any] = {"password": dress.locked} if dress.locked else {}
        if dress.packed:
            return {**parts, "key": self._placed(pkcs12_of(client, dress.locked), dress)}
        key = locked(client.private_key_pem, dress.locked)
        if dress.apart:
            return {
                **parts,
                "key": self._placed(key, dress),
                "chain": self._placed(client.certificate_chain_pem, dress),
            }
        both = [client.certificate_chain_pem, key]
        return {**parts, "key": self._placed(b"".join(reversed(both) if dress.turned else both), dress)}

    def _dressed(self, parts: list[bytes], dress: Dress) -> Any:
        if not parts:
            return None
        content = b"".join([*reversed(parts), parts[0]] if dress.turned else parts)
        return self._placed((b"# a comment\n" if dress.comments else b"") + content, dress)

    def _placed(self, content: bytes, dress: Dress) -> Any:
        if not dress.by_path:
            return content.decode() if dress.as_text and content.startswith(b"-----BEGIN") else content
        path = self.directory / f"{len(list(self.directory.iterdir()))}.pem"
        path.write_bytes(content)
        return str(path) if dress.as_text else path


@cache
def locked(key: bytes, password: str) -> bytes:
    """The key, encrypted unless the password is empty; made once, because that is slow on purpose."""
    if not password:
        return key
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )


@cache
def pkcs12_of(client: Certificate, password: str) -> bytes:
    key: Any = serialization.load_pem_private_key(client.private_key_pem, None)
    leaf, *above = x509.load_pem_x509_certificates(client.certificate_chain_pem)
    encryption: Any = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(None, key, leaf, above, encryption)


@pytest.fixture(scope="module")
def wardrobe(revocation_list: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    """Made once, since every example draws from it."""
    return Wardrobe(revocation_list, tmp_path_factory.mktemp("wardrobe"))


class TestProperties:
    """For all facts, in all dresses."""

    @fewer
    @given(facts=FACTS, one=DRESSES, other=DRESSES)
    def test_it_never_depends_on_key_password_path_or_form(
        self, wardrobe: Wardrobe, facts: Facts, one: Dress, other: Dress
    ) -> None:
        """The same facts are the same fingerprint, however they are given."""
        assert wardrobe.take(facts, one) == wardrobe.take(facts, other)

    @fewer
    @given(one=FACTS, other=FACTS, dress=DRESSES)
    def test_it_always_depends_on_what_changes_trust_or_identity(
        self, wardrobe: Wardrobe, one: Facts, other: Facts, dress: Dress
    ) -> None:
        """Other facts are another fingerprint, however alike they look."""
        same = wardrobe.take(one, dress) == wardrobe.take(other, dress)
        assert same is (one == other)

    @fewer
    @given(facts=FACTS, field=st.sampled_from(list(Facts.__dataclass_fields__)), other=FACTS, dress=DRESSES)
    def test_each_fact_counts_alone(
        self, wardrobe: Wardrobe, facts: Facts, field: str, other: Facts, dress: Dress
    ) -> None:
        """One of them changed is enough."""
        changed = replace(facts, **{field: getattr(other, field)})
        same = wardrobe.take(facts, dress) == wardrobe.take(changed, dress)
        assert same is (facts == changed)

    @given(key=st.binary(), password=st.none() | st.binary(), leaf=st.binary())
    def test_no_byte_of_a_key_or_password_is_looked_at(
        self, kit: CertKit, key: bytes, password: bytes | None, leaf: bytes
    ) -> None:
        """Whatever they are, they are not in it."""
        options = TLSOptions(enabled=True)
        material = TLSMaterial(
            trust=Trust.FILE, ca=kit.ca_pem, chain=kit.client("ada").certificate_chain_pem, leaf_der=leaf
        )
        assert fingerprint(replace(material, key=key, password=password), options, {}) == fingerprint(
            material, options, {}
        )
