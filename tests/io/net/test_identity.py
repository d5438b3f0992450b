"""The SSLContext and the certificate in it, made off the loop and once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from peers import Contexts

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.net import identity as identity_module
from aiomongo_tls.net.identity import Identity, IdentityLoader, load_identity
from aiomongo_tls.net.threads import in_thread


def test_an_identity_knows_its_subject(contexts: Contexts) -> None:
    """The name of its MongoDB user."""
    identity = load_identity(contexts.options())
    assert identity.has_certificate
    assert identity.subject is not None
    assert "CN=client" in identity.subject
    assert identity.fingerprint


def test_one_without_a_certificate_has_none(contexts: Contexts) -> None:
    """TLS that only verifies the server."""
    identity = load_identity(contexts.options(certificate=False))
    assert not identity.has_certificate
    assert identity.subject is None


def test_without_tls_there_is_nothing_to_load() -> None:
    """And no fingerprint."""
    assert load_identity(TLSOptions()) == Identity()
    assert Identity().fingerprint is None


def test_without_cryptography_the_subject_is_not_known(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install works; whoever explains a refusal does without."""

    def missing(der: bytes) -> Any:
        raise ConfigurationError("reading a certificate needs the package cryptography")

    monkeypatch.setattr(identity_module.CertificateDetails, "from_der", missing)
    identity = load_identity(contexts.options())
    assert identity.has_certificate
    assert identity.subject is None


async def test_it_is_loaded_once_in_a_thread(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask; one who gives up does not end the waiting of the others."""
    threads: list[str] = []
    release = threading.Event()

    def load(options: TLSOptions) -> Identity:
        threads.append(threading.current_thread().name)
        release.wait(5)
        return Identity(subject="CN=client")

    monkeypatch.setattr(identity_module, "load_identity", load)
    loader = IdentityLoader(contexts.options())
    tasks = [asyncio.create_task(loader.load()) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [Identity(subject="CN=client")] * 4
    assert await loader.load() is loader.identity
    assert threads == ["aiomongo_tls load identity"]


async def test_a_failure_is_not_kept(tmp_path: Any, contexts: Contexts) -> None:
    """Files can be mended; each caller gets an error of its own."""
    path = tmp_path / "ca.pem"
    loader = IdentityLoader(TLSOptions(enabled=True, ca_file=path))
    errors = await asyncio.gather(loader.load(), loader.load(), return_exceptions=True)
    assert [type(error) for error in errors] == [ConfigurationError] * 2
    assert errors[0] is not errors[1]
    path.write_bytes(contexts.ca.cert_pem.bytes())
    assert (await loader.load()).setup is not None


async def test_a_thread_hands_over_its_exception() -> None:
    """Whatever it is."""

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await in_thread(fail, name="test")


async def test_a_result_that_nobody_waits_for_is_dropped() -> None:
    """The thread goes on, and its result comes too late for anybody."""
    release = threading.Event()
    done = threading.Event()

    def late() -> None:
        release.wait(5)
        done.set()

    future = in_thread(late, name="test")
    future.cancel()
    release.set()
    await asyncio.to_thread(done.wait, 5)
    await asyncio.sleep(0)
    assert future.cancelled()


async def test_no_more_threads_is_an_error_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to whoever waits."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        await in_thread(lambda: None, name="test")
