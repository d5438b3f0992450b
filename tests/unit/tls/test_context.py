"""The SSLContext: what is switched on, and who shares it."""

from __future__ import annotations

import gc
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_options import ServerName, TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls import context as module
from aiomongo_tls.tls.context import build_context, shared_context
from aiomongo_tls.tls.engine import EngineState
from aiomongo_tls.tls.material import load_material

Make = Callable[..., Any]


def built(**options: Any) -> ssl.SSLContext:
    wanted = TLSOptions(enabled=True, **options)
    return build_context(load_material(wanted), wanted)


class TestPolicy:
    """What every context has."""

    def test_it_verifies(self, kit: CertKit) -> None:
        """Certificate and host name, from TLS 1.2 on."""
        context = built(ca_file=kit.ca_pem)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION

    def test_it_is_not_strict(self, kit: CertKit) -> None:
        """On no version of Python; `create_default_context()` is from 3.13 on."""
        assert not built(ca_file=kit.ca_pem).verify_flags & ssl.VERIFY_X509_STRICT
        assert not built().verify_flags & ssl.VERIFY_X509_STRICT

    def test_host_names_alone_can_be_let_go(self, kit: CertKit) -> None:
        """The certificate is verified all the same."""
        context = built(ca_file=kit.ca_pem, allow_invalid_hostnames=True)
        assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)

    @pytest.mark.parametrize("hostnames", [False, True])
    def test_without_certificates_there_are_no_host_names_either(self, kit: CertKit, hostnames: bool) -> None:
        """There is nothing to check them against."""
        context = built(ca_file=kit.ca_pem, allow_invalid_certificates=True, allow_invalid_hostnames=hostnames)
        assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)

    def test_default_flags_stay(self, kit: CertKit) -> None:
        """Ours are added to them."""
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags
        assert plain & ssl.VERIFY_X509_TRUSTED_FIRST
        assert built().verify_flags == plain
        assert built(ca_file=kit.ca_pem).verify_flags == plain | ssl.VERIFY_X509_PARTIAL_CHAIN

    def test_a_revocation_list_is_loaded_and_looked_at(
        self, kit: CertKit, revocation_list: Callable[..., bytes]
    ) -> None:
        """Unless that is switched off."""
        plain = built(ca_file=kit.ca_pem)
        wanted: dict[str, Any] = {"ca_file": kit.ca_pem, "crl_file": revocation_list(kit)}
        checking = built(**wanted)
        assert checking.verify_flags == plain.verify_flags | ssl.VERIFY_CRL_CHECK_LEAF
        assert checking.cert_store_stats()["crl"] == 1
        unchecked = built(**wanted, disable_certificate_revocation_check=True)
        assert unchecked.verify_flags == plain.verify_flags
        assert unchecked.cert_store_stats()["crl"] == 0

    def test_the_systems_store_is_used_where_nothing_else_is_named(
        self, kit: CertKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And only there."""
        monkeypatch.setenv("SSL_CERT_FILE", kit.ca_path)
        monkeypatch.setenv("SSL_CERT_DIR", "")
        der = ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())
        assert built().get_ca_certs(binary_form=True) == [der]
        other = ssl.PEM_cert_to_DER_cert(kit.stranger().ca_pem.decode())
        assert built(ca_file=kit.stranger().ca_pem).get_ca_certs(binary_form=True) == [other]

    def test_a_supplied_context_is_used_untouched(self) -> None:
        """Even where ours would be stricter."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        before = (context.options, context.verify_flags, context.minimum_version)
        assert built(ssl_context=context) is context
        assert (context.options, context.verify_flags, context.minimum_version) == before


class TestHandshake:
    """What the flags do."""

    def test_the_servers_own_certificate_can_be_trusted(self, kit: CertKit, server_context: Make, pair: Make) -> None:
        """Whoever signed it; another certificate of the same authority is not trusted by that."""
        leaf = kit.server("db.example.net").certificate_chain_pem
        wired = pair(built(ca_file=leaf), server_context()).shuttle()
        assert wired.client.state is EngineState.OPEN
        other = kit.server("db.example.net", subject={"CN": "other"}).certificate_chain_pem
        wired = pair(built(ca_file=other), server_context()).shuttle()
        assert wired.client_error.verify_code == 20

    def test_a_user_with_a_certificate_is_seen_by_the_server(
        self, kit: CertKit, server_context: Make, pair: Make
    ) -> None:
        """Encrypted key, chain with an intermediate; without them the server refuses."""
        ada = kit.client("ada", intermediate=True, password="secret")
        context = built(ca_file=kit.ca_pem, certificate_key_file=ada.pem, certificate_key_file_password="secret")
        wired = pair(context, server_context(client_ca=kit.ca_pem)).shuttle()
        assert wired.server.info.peer_certificate["subject"][-1] == (("commonName", "ada"),)
        wired = pair(built(ca_file=kit.ca_pem), server_context(client_ca=kit.ca_pem)).shuttle()
        assert wired.server.state is EngineState.BROKEN


class TestSharing:
    """One context for each fingerprint."""

    def test_equal_options_share_one(self, kit: CertKit) -> None:
        """And others do not."""
        first = shared_context(TLSOptions(enabled=True, ca_file=kit.ca_path))
        second = shared_context(TLSOptions(enabled=True, ca_file=kit.ca_pem))
        other = shared_context(TLSOptions(enabled=True, ca_file=kit.stranger().ca_pem))
        assert first.context is second.context
        assert first.fingerprint == second.fingerprint
        assert other.context is not first.context
        assert second.options.ca_file == kit.ca_pem

    def test_the_private_key_stays_with_openssl(self, kit: CertKit) -> None:
        """The certificate is kept, because explanations name it."""
        locked = kit.client("ada", password="secret")
        setup = shared_context(
            TLSOptions(
                enabled=True,
                ca_file=kit.ca_pem,
                certificate_key_file=locked.pem,
                certificate_key_file_password="secret",
            )
        )
        assert (setup.material.key, setup.material.password) == (None, None)
        assert setup.material.chain is not None
        assert setup.material.leaf_der is not None

    def test_it_is_gone_with_its_last_user(self, kit: CertKit) -> None:
        """A rotated certificate does not leave its context behind."""
        setup = shared_context(TLSOptions(enabled=True, ca_file=kit.client("only here").certificate_chain_pem))
        key = setup.fingerprint
        assert key in module._contexts
        del setup
        gc.collect()
        assert key not in module._contexts

    def test_tickets_belong_to_a_fingerprint(self, kit: CertKit) -> None:
        """Shared like the context, gone with it, and over with the client's certificate."""
        ada, bob = (kit.client(name) for name in ("ada", "bob"))
        options = [
            TLSOptions(enabled=True, ca_file=kit.ca_pem, certificate_key_file=who.pem) for who in (ada, ada, bob)
        ]
        first, again, other = map(shared_context, options)
        assert first.tickets is again.tickets
        assert first.tickets is not other.tickets
        assert first.tickets._ends == ada.details.not_after.timestamp()
        key = first.fingerprint
        del first, again
        gc.collect()
        assert key not in module._tickets
        assert other.fingerprint in module._tickets

    def test_tickets_of_a_supplied_context_are_its_own(self) -> None:
        """One object under other names is another identity; loading it again begins afresh."""
        context = ssl.create_default_context()
        plain = TLSOptions(enabled=True, ssl_context=context)
        first = shared_context(plain)
        named = shared_context(replace(plain, server_names=(ServerName("localhost", 0, "db.example.net"),)))
        assert first.context is named.context
        assert first.tickets is not named.tickets
        address = ServerAddress("localhost", 27017)
        before = first.tickets.resumption(context, address, None, 0.0)
        assert first.tickets.resumption(context, address, None, 0.0)._slot is before._slot
        assert shared_context(plain).tickets is first.tickets
        assert first.tickets.resumption(context, address, None, 0.0)._slot is not before._slot

    def test_changed_content_is_another_one(self, kit: CertKit, tmp_path: Path) -> None:
        """Under the same path."""
        path = tmp_path / "me.pem"
        wanted = TLSOptions(enabled=True, ca_file=kit.ca_pem, certificate_key_file=path)
        path.write_bytes(kit.client("ada").pem)
        first = shared_context(wanted)
        path.write_bytes(kit.client("ada", not_after=kit.client("ada").details.not_after).pem + kit.ca_pem)
        assert shared_context(wanted).context is not first.context

    def test_threads_that_start_together_build_one(self, kit: CertKit, monkeypatch: pytest.MonkeyPatch) -> None:
        """Twenty clients of one service."""
        builds: list[int] = []
        build = module.build_context

        def counted(*args: Any) -> ssl.SSLContext:
            builds.append(1)
            # Whoever comes now waits, and finds the context afterwards.
            assert module._lock.locked()
            return build(*args)

        monkeypatch.setattr(module, "build_context", counted)
        wanted = TLSOptions(enabled=True, ca_file=kit.ca_pem, allow_invalid_hostnames=True)
        barrier = threading.Barrier(5)
        setups = []

        def run() -> None:
            barrier.wait()
            setups.append(shared_context(wanted))

        threads = [threading.Thread(target=run) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(setup.context) for setup in setups}) == 1
        assert len(builds) == 1

    def test_a_supplied_context_is_not_shared_with_another(self) -> None:
        """Each is its own fingerprint."""
        one, two = ssl.create_default_context(), ssl.create_default_context()
        first = shared_context(TLSOptions(enabled=True, ssl_context=one))
        second = shared_context(TLSOptions(enabled=True, ssl_context=two))
        assert (first.context, second.context) == (one, two)
        assert first.fingerprint != second.fingerprint

    def test_an_error_leaves_nothing_behind(self, kit: CertKit, tmp_path: Path) -> None:
        """The next attempt can succeed."""
        path = tmp_path / "ca.pem"
        wanted = TLSOptions(enabled=True, ca_file=path)
        with pytest.raises(ConfigurationError):
            shared_context(wanted)
        path.write_bytes(kit.ca_pem)
        assert shared_context(wanted).context.cert_store_stats()["x509"] == 1
