"""How far revocation lists reach."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls.context import build_context
from aiomongo_tls.tls.crl import reaches_a_root
from aiomongo_tls.tls.fingerprint import fingerprint
from aiomongo_tls.tls.material import load_material


def intermediate_of(kit: CertKit) -> bytes:
    """The certificate of the kit's intermediate authority."""
    end = b"-----END CERTIFICATE-----\n"
    return kit.server("db.example.net", intermediate=True).certificate_chain_pem.split(end)[1] + end


def flags(**options: Any) -> ssl.VerifyFlags:
    wanted = TLSOptions(enabled=True, **options)
    return build_context(load_material(wanted), wanted).verify_flags


@pytest.mark.parametrize(
    ("names", "chain"),
    [
        (["root"], False),
        (["intermediate"], False),
        (["root", "intermediate"], True),
        (["intermediate", "root"], True),
        (["stranger"], False),
        (["intermediate", "stranger"], False),
        (["root", "stranger"], True),
    ],
)
def test_the_chain_is_checked_where_a_root_has_its_list_and_another_authority_too(
    kit: CertKit, names: list[str], chain: bool
) -> None:
    """The lists say themselves what they are for."""
    lists = {"root": kit.crl(), "intermediate": kit.crl(intermediate=True), "stranger": kit.stranger().crl()}
    crl = b"".join(lists[name] for name in names)
    assert reaches_a_root(kit.ca_pem, crl) is chain
    assert not reaches_a_root(None, crl)


def test_an_intermediate_authority_among_the_trusted_is_no_root(kit: CertKit) -> None:
    """Its list alone is for the leaf."""
    assert not reaches_a_root(intermediate_of(kit) + kit.ca_pem, kit.crl(intermediate=True))
    assert reaches_a_root(intermediate_of(kit) + kit.ca_pem, kit.crl(intermediate=True) + kit.crl())
    # Two roots with a list each, and nobody in between.
    both = kit.ca_pem + kit.stranger().ca_pem
    assert not reaches_a_root(both, kit.crl() + kit.stranger().crl())


def test_flags_are_added_and_not_replaced(kit: CertKit) -> None:
    """What OpenSSL does by default stays on; the chain has to reach a root where the chain is checked."""
    plain = flags(ca_file=kit.ca_pem)
    leaf = flags(ca_file=kit.ca_pem, crl_file=kit.crl())
    chain = flags(ca_file=kit.ca_pem, crl_file=kit.crl() + kit.crl(intermediate=True))
    assert leaf == plain | ssl.VERIFY_CRL_CHECK_LEAF
    assert chain == (plain | ssl.VERIFY_CRL_CHECK_CHAIN) & ~ssl.VERIFY_X509_PARTIAL_CHAIN
    assert chain & ssl.VERIFY_X509_TRUSTED_FIRST


def test_der_is_as_good_as_pem(kit: CertKit) -> None:
    """One list in DER; and another list is another fingerprint."""
    server = kit.server("db.example.net")
    lists = [kit.crl(), kit.crl(revoked=[server])]
    seen: set[str] = set()
    for pem in lists:
        der = x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER)
        prints: set[str] = set()
        for form in (pem, der):
            wanted = TLSOptions(enabled=True, ca_file=kit.ca_pem, crl_file=form)
            material = load_material(wanted)
            assert build_context(material, wanted).cert_store_stats()["crl"] == 1
            prints.add(fingerprint(material, wanted))
        assert len(prints) == 1
        seen |= prints
    assert len(seen) == 2
