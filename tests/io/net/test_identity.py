"""The SSLContext and the certificate in it, made off the loop and once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from peers import Contexts

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import ServerName, TLSOptions
from aiomongo_tls.errors import ConfigurationError, TLSError
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
        return Identity(has_certificate=True)

    monkeypatch.setattr(identity_module, "load_identity", load)
    loader = IdentityLoader(contexts.options())
    tasks = [asyncio.create_task(loader.load()) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [Identity(has_certificate=True)] * 4
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


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def value_of(contexts: Contexts, *, stranger: bool = False, **changes: Any) -> TLSIdentity:
    """The certificate of `contexts` as a value."""
    options = contexts.options(stranger=stranger)
    assert options.certificate_key_file is not None
    return replace(TLSIdentity(key=options.certificate_key_file, ca=options.ca_file), **changes)


def locked(contexts: Contexts, password: bytes) -> TLSIdentity:
    """The same with an encrypted key."""
    plain = value_of(contexts)
    assert isinstance(plain.key, bytes)
    key = serialization.load_pem_private_key(plain.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    return replace(plain, key=key, chain=plain.key[plain.key.index(b"-----BEGIN CERTIFICATE") :])


class Vault:
    """A provider that gives, raises or calls what its list says, and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.asking = asyncio.Event()
        self.end = ""

    async def identity(self) -> TLSIdentity:
        self.asked += 1
        self.asking.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.end = "gave up"
        return answer  # type: ignore[no-any-return]


def loader_of(provider: object, **settings: Any) -> IdentityLoader:
    options = TLSOptions(enabled=True, identity=provider)  # type: ignore[arg-type]
    return IdentityLoader(options, now=lambda: NOW, **settings)


class TestProvider:
    """tls_identity with something that is asked."""

    async def test_it_is_asked_once_on_the_loop(self, contexts: Contexts) -> None:
        """However many wait; later ones are served from memory."""
        vault = Vault(value_of(contexts))
        loader = loader_of(vault)
        first, *others = await asyncio.gather(*(loader.load() for _ in range(5)))
        assert all(other is first for other in others)
        assert first.subject is not None
        assert first.has_certificate
        assert await loader.load() is first
        assert vault.asked == 1

    async def test_its_key_is_not_kept(self, contexts: Contexts) -> None:
        """What a connection needs is in the SSLContext; the rest of it is there for messages."""
        identity = await loader_of(Vault(replace(locked(contexts, b"secret"), password=b"secret"))).load()
        assert identity.setup is not None
        kept = identity.setup.options.identity
        assert isinstance(kept, TLSIdentity)
        assert kept.password is None
        assert kept.key == b"<removed>"

    @pytest.mark.parametrize("error", [ConnectionRefusedError("vault sealed"), TimeoutError("vault sealed")])
    async def test_what_may_pass_can_be_asked_again(self, contexts: Contexts, error: Exception) -> None:
        """It is a TLSError with a reason and the cause; nothing of it is kept."""
        vault = Vault(error, value_of(contexts))
        loader = loader_of(vault)
        with pytest.raises(TLSError) as caught:
            await loader.load()
        assert caught.value.reason == "identity-unavailable"
        assert caught.value.__cause__ is error
        assert f"tls_identity: Vault.identity() raised {type(error).__name__}" in str(caught.value)
        assert "sealed" not in str(caught.value)
        assert loader.identity is None
        assert (await loader.load()).subject
        assert vault.asked == 2

    async def test_what_will_not_pass_is_told_as_what_it_is(self, contexts: Contexts) -> None:
        """A mistake in the provider, or an answer that is none; the next caller asks again."""
        mistake = KeyError("data")
        loader = loader_of(Vault(mistake, {"key": "x"}, ConfigurationError("no role"), value_of(contexts)))
        with pytest.raises(ConfigurationError, match=r"Vault\.identity\(\) raised KeyError") as caught:
            await loader.load()
        assert caught.value.__cause__ is mistake
        with pytest.raises(ConfigurationError, match="has to return a TLSIdentity; got dict"):
            await loader.load()
        with pytest.raises(ConfigurationError, match=r"^no role$"):
            await loader.load()
        assert (await loader.load()).subject

    async def test_a_plain_method_is_refused(self, contexts: Contexts) -> None:
        """It would hold up the loop."""

        class Plain:
            def identity(self) -> TLSIdentity:
                return value_of(contexts)

        with pytest.raises(ConfigurationError, match=r"Plain\.identity\(\) has to be a coroutine function"):
            await loader_of(Plain()).load()

    async def test_it_may_not_take_for_ever(self) -> None:
        """Its time is bounded whatever the callers' is; it is cancelled then."""
        vault = Vault(None)
        with pytest.raises(TLSError, match=r"has not answered within 0.01 s") as caught:
            await loader_of(vault, limit=0.01).load()
        assert caught.value.reason == "identity-unavailable"
        assert isinstance(caught.value.__cause__, TimeoutError)
        assert vault.end == "gave up"

    async def test_it_is_cancelled_with_the_last_who_waits(self, contexts: Contexts) -> None:
        """And asked again by the next one, who waits for nothing old."""
        vault = Vault(None, value_of(contexts))
        loader = loader_of(vault)
        waiters = [asyncio.create_task(loader.load()) for _ in range(2)]
        await vault.asking.wait()
        waiters[0].cancel()
        await asyncio.wait([waiters[0]])
        assert vault.end == ""
        waiters[1].cancel()
        await asyncio.wait([waiters[1]])
        assert vault.end == "gave up"
        assert (await loader.load()).subject
        assert vault.asked == 2

    async def test_a_provider_that_cancels_itself_cancels_nobody(self, contexts: Contexts) -> None:
        """Its own task groups are its own business."""
        loader = loader_of(Vault(asyncio.CancelledError(), value_of(contexts)))
        with pytest.raises(TLSError, match="was cancelled from within"):
            await loader.load()
        assert (await loader.load()).subject

    async def test_its_authorities_beside_tls_ca_file(self, contexts: Contexts) -> None:
        """Two answers to one question; without its own, tlsCAFile counts."""
        ca = contexts.ca.cert_pem.bytes()
        options = TLSOptions(enabled=True, ca_file=ca, identity=Vault(value_of(contexts), value_of(contexts, ca=None)))
        loader = IdentityLoader(options)
        with pytest.raises(ConfigurationError, match="tlsCAFile and tls_identity say the same"):
            await loader.load()
        assert (await loader.load()).subject

    @pytest.mark.parametrize(
        ("after", "at"),
        [(None, None), (60, NOW + timedelta(seconds=60)), (NOW, NOW), (1e300, None)],
    )
    async def test_when_it_wants_to_be_asked_again(self, contexts: Contexts, after: Any, at: Any) -> None:
        """Seconds count from the answer."""
        assert (await loader_of(Vault(value_of(contexts, refresh_after=after))).load()).refresh_at == at


class TestPassword:
    """A password that is a coroutine function."""

    def options(self, contexts: Contexts, password: Callable[[], Any], *, as_value: bool) -> TLSOptions:
        value = locked(contexts, b"secret")
        if as_value:
            return TLSOptions(enabled=True, identity=replace(value, password=password))
        return TLSOptions(
            enabled=True,
            ca_file=value.ca,
            certificate_key_file=value.key,
            certificate_file=value.chain,
            certificate_key_file_password=password,
        )

    @pytest.mark.parametrize("as_value", [False, True])
    async def test_it_is_awaited_on_the_loop_and_once(self, contexts: Contexts, as_value: bool) -> None:
        """Not in the thread that reads the key."""
        loop, calls = asyncio.get_running_loop(), 0

        async def password() -> str:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            assert asyncio.get_running_loop() is loop
            return "secret"

        identity = await IdentityLoader(self.options(contexts, password, as_value=as_value)).load()
        assert identity.subject
        assert calls == 1

    async def test_it_is_not_called_for_a_key_that_is_not_encrypted(self, contexts: Contexts) -> None:
        """As a plain function is not."""

        async def password() -> str:
            raise AssertionError

        options = replace(contexts.options(), certificate_key_file_password=password)
        assert (await IdentityLoader(options).load()).subject

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            ("wrong", "is not the password of the key"),
            (5, "has to be str or bytes; its function gave int"),
            (KeyError("secret"), "the function raised KeyError"),
        ],
    )
    async def test_what_it_gives_may_be_wrong(self, contexts: Contexts, answer: Any, says: str) -> None:
        """The option is named, and the answer is not shown."""

        async def password() -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        with pytest.raises(ConfigurationError) as caught:
            await IdentityLoader(self.options(contexts, password, as_value=False)).load()
        assert str(caught.value).startswith("tlsCertificateKeyFilePassword")
        assert says in str(caught.value)
        assert "wrong" not in str(caught.value)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("as_value", [False, True])
    async def test_it_is_bounded_as_a_provider_is(self, contexts: Contexts, as_value: bool) -> None:
        """A vault that does not answer."""

        async def password() -> str:
            await asyncio.Event().wait()
            raise AssertionError

        loader = IdentityLoader(self.options(contexts, password, as_value=as_value), limit=0.01)
        with pytest.raises(TLSError, match=r"assword: the function has not answered within 0.01 s"):
            await loader.load()

    async def test_without_a_loop_the_error_is_clear(self, contexts: Contexts) -> None:
        """Whoever loads synchronously cannot await it."""

        async def password() -> str:
            raise AssertionError

        with pytest.raises(ConfigurationError, match="is a coroutine function, which only a client on an event loop"):
            load_identity(self.options(contexts, password, as_value=False))


class TestReload:
    """The seam for rotation: load anew, compare, adopt."""

    async def test_what_is_in_use_stays_in_use(self, contexts: Contexts) -> None:
        """Until somebody adopts the new one."""
        vault = Vault(value_of(contexts), value_of(contexts, stranger=True))
        loader = loader_of(vault)
        old = await loader.load()
        new = await loader.reload()
        assert new.fingerprint != old.fingerprint
        assert new.subject != old.subject
        assert await loader.load() is old
        assert loader.adopt(new)
        assert loader.identity is await loader.load() is new

    async def test_the_same_content_is_no_change(self, contexts: Contexts) -> None:
        """But it may have another time for the next refresh."""
        loader = loader_of(Vault(value_of(contexts, refresh_after=1), value_of(contexts, refresh_after=2)))
        old = await loader.load()
        new = await loader.reload()
        assert new.fingerprint == old.fingerprint
        assert not loader.adopt(new)
        assert loader.identity is new
        assert new.setup is not None
        assert old.setup is not None
        assert new.setup.context is old.setup.context
        assert new.refresh_at == NOW + timedelta(seconds=2)

    @pytest.mark.parametrize("fault", [ConnectionError(), KeyError(), "half"])
    async def test_what_is_not_whole_changes_nothing(self, contexts: Contexts, fault: Any) -> None:
        """A provider that fails, or half an identity: certificate and key of two renewals."""
        if fault == "half":
            other = value_of(contexts, stranger=True)
            fault = replace(value_of(contexts), chain=other.key)
        loader = loader_of(Vault(value_of(contexts), fault, value_of(contexts, stranger=True)))
        old = await loader.load()
        with pytest.raises((TLSError, ConfigurationError)):
            await loader.reload()
        assert loader.identity is old
        assert loader.adopt(await loader.reload())

    async def test_files_are_read_anew(self, contexts: Contexts, tmp_path: Any) -> None:
        """Replaced, broken, mended."""
        path = tmp_path / "me.pem"
        mine, strangers = contexts.options(), contexts.options(stranger=True)
        path.write_bytes(mine.certificate_key_file)
        loader = IdentityLoader(replace(mine, certificate_key_file=path))
        old = await loader.load()
        assert (await loader.reload()).fingerprint == old.fingerprint
        path.write_bytes(strangers.certificate_key_file[:500])
        with pytest.raises(ConfigurationError):
            await loader.reload()
        path.write_bytes(strangers.certificate_key_file)
        assert (await loader.reload()).fingerprint != old.fingerprint
        assert loader.identity is old

    async def test_one_that_is_under_way_may_be_older_than_the_change(self, contexts: Contexts) -> None:
        """Whoever comes meanwhile gets one that began afterwards, and shares it with all others who came meanwhile."""
        release = asyncio.Event()
        answers = [value_of(contexts), value_of(contexts, stranger=True)]

        class Slow(Vault):
            async def identity(self) -> TLSIdentity:
                answer = await super().identity()
                await release.wait()
                return answer

        vault = Slow(*answers)
        loader = loader_of(vault)
        first = asyncio.create_task(loader.reload())
        await vault.asking.wait()
        later = [asyncio.create_task(loader.reload()) for _ in range(3)]
        await asyncio.sleep(0)
        assert vault.asked == 1
        release.set()
        old, *new = await asyncio.gather(first, *later)
        assert vault.asked == 2
        assert all(each is new[0] for each in new)
        assert new[0].fingerprint != old.fingerprint

    async def test_without_tls_nothing_is_new(self) -> None:
        """There is nothing to load."""
        loader = IdentityLoader(TLSOptions())
        assert not loader.adopt(await loader.reload())


def test_an_identity_knows_the_names_of_servers(contexts: Contexts) -> None:
    """By tlsServerNames; without TLS there is none."""
    address = ServerAddress("127.0.0.1", 27017)
    names = (ServerName("127.0.0.1", 27017, "db.example.net"),)
    identity = load_identity(replace(contexts.options(), server_names=names))
    assert identity.server_name(address) == "db.example.net"
    assert identity.server_name(ServerAddress("127.0.0.1", 27018)) is None
    assert Identity().server_name(address) is None
