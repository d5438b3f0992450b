"""Another identity in the place of a client's own: what replaces what, and what is refused."""

from __future__ import annotations

import ssl
import warnings
from typing import Any

import pytest

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.uri.keywords import IdentityOptions
from aiomongo_tls.core.uri.registry import OPTIONS
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import ConfigurationError

X509 = "mongodb://h/app?tls=true&authMechanism=MONGODB-X509&tlsCAFile=ca.pem&tlsCertificateKeyFile=me.pem"
SCRAM = "mongodb://ada:secret@h/app?tls=true&tlsCAFile=ca.pem&tlsCertificateKeyFile=me.pem"
BOB = TLSIdentity(key="a key", chain="a chain")


class Provider:
    """Gives an identity when it is asked."""

    async def identity(self) -> TLSIdentity:
        return BOB


def client(host: str = X509, *identities: dict[str, Any], **options: Any) -> ClientOptions:
    return resolve(host, options, identities)


def user(options: ClientOptions) -> tuple[str | None, str | None, str, str | None]:
    assert options.credential is not None
    return (
        options.credential.username,
        options.credential.password,
        options.credential.source,
        options.credential.mechanism,
    )


# What takes the place of what


def test_nothing_given_changes_nothing() -> None:
    """The same options, by which the same connections are found."""
    assert client(X509, {}) == client(X509)
    assert client(X509, {"tlsCertificateKeyFile": None, "username": None}) == client(X509)
    assert client(X509, {"tlsCertificateKeyFile": "me.pem"}) == client(X509)


def test_a_certificate_takes_the_place_of_all_of_the_other() -> None:
    """Key, chain and password are not mixed; whom to trust stays."""
    mine = {"tlsCertificateFile": "chain.pem", "tlsCertificateKeyFile": "key.pem"}
    before = {**mine, "tlsCertificateKeyFilePassword": "secret"}
    options = client("mongodb://h/?tlsCAFile=ca.pem", {"tlsCertificateKeyFile": "bob.pem"}, **before)
    assert (options.tls.certificate_key_file, options.tls.certificate_file) == ("bob.pem", None)
    assert options.tls.certificate_key_file_password is None
    assert options.tls.ca_file == "ca.pem"
    back = client("mongodb://h/?tlsCAFile=ca.pem", {"tls_identity": BOB}, before, **mine)
    assert back.tls == client("mongodb://h/?tlsCAFile=ca.pem", **before).tls


@pytest.mark.parametrize("identity", [BOB, Provider()])
def test_an_identity_takes_the_place_of_files_and_files_that_of_an_identity(identity: Any) -> None:
    """Files, a TLSIdentity and a provider of one are all certificates."""
    options = client(X509, {"tls_identity": identity})
    assert (options.tls.identity, options.tls.certificate_key_file) == (identity, None)
    assert client(X509, {"tls_identity": identity}, {"tlsCertificateKeyFile": "me.pem"}) == client(X509)


def test_a_ca_of_its_own_takes_the_place_of_the_file() -> None:
    """Unless both are of the new identity, which is a contradiction."""
    with_ca = TLSIdentity(key="a key", chain="a chain", ca="a ca")
    assert client(X509, {"tls_identity": with_ca}).tls.ca_file is None
    assert client(X509, {"tls_identity": BOB}).tls.ca_file == "ca.pem"
    with pytest.raises(ConfigurationError, match="say both whom to trust"):
        client(X509, {"tls_identity": with_ca, "tlsCAFile": "other.pem"})


def test_a_ready_context_takes_the_place_of_what_has_no_effect_beside_it() -> None:
    """What is not of TLS alone stays: how long to wait, how soon to look, under which name to ask."""
    context = ssl.create_default_context()
    options = client(
        X509 + "&tlsFailFast=false&tlsReloadIntervalMS=50&tlsServerNames=h:db.example.net",
        {"ssl_context": context},
        tlsCRLFile="crl.pem",
        tlsAllowInvalidHostnames=True,
    )
    assert options.tls.ssl_context is context
    assert options.tls.enabled
    assert (options.tls.ca_file, options.tls.certificate_key_file, options.tls.crl_file) == (None, None, None)
    assert not options.tls.allow_invalid_hostnames
    assert not options.tls_fail_fast
    assert options.tls.reload_interval == 0.05
    assert options.tls.server_names
    assert client(X509, {"ssl_context": context}, {"tlsCertificateKeyFile": "me.pem"}).tls.ssl_context is None


def test_a_ready_context_and_a_file_to_trust() -> None:
    """The context of the client before stays, and says itself whom to trust."""
    with pytest.raises(ConfigurationError, match="tlsCAFile has no effect beside ssl_context"):
        client("mongodb://h/", {"tlsCAFile": "other.pem"}, ssl_context=ssl.create_default_context())


def test_the_user_of_x509_comes_with_the_certificate() -> None:
    """Whether the name was in the URI or a keyword; a name that comes with the new certificate counts."""
    uri = "mongodb://CN=me@h/?tlsCertificateKeyFile=me.pem&authMechanism=MONGODB-X509"
    x509 = (None, None, "$external", "MONGODB-X509")
    assert user(client(uri))[0] == "CN=me"
    assert user(client(uri, {"tlsCertificateKeyFile": "bob.pem"})) == x509
    assert user(client(X509, {"tls_identity": Provider()}, username="CN=me")) == x509
    assert user(client(uri, {"tlsCAFile": "other.pem"}))[0] == "CN=me"
    named = {"tlsCertificateKeyFile": "bob.pem", "username": "CN=bob", "authMechanism": "MONGODB-X509"}
    assert user(client(uri, named))[0] == "CN=bob"


def test_a_user_with_a_password_keeps_it_under_another_certificate() -> None:
    """SCRAM does not look at certificates."""
    options = client(SCRAM, {"tlsCertificateKeyFile": "bob.pem"})
    assert user(options) == ("ada", "secret", "app", None)
    assert options.tls.certificate_key_file == "bob.pem"


@pytest.mark.parametrize("before", [SCRAM, X509, SCRAM + "&authSource=users&authMechanism=SCRAM-SHA-1"])
def test_a_user_takes_the_place_of_the_whole_credential(before: str) -> None:
    """Mechanism and source are not mixed either; the certificate stays. The database of the URI is still there."""
    options = client(before, {"username": "bob", "password": "word"})
    assert user(options) == ("bob", "word", "app", None)
    assert options.tls == client(before).tls


def test_x509_takes_the_place_of_a_user_with_a_password() -> None:
    """With the certificate that is there already."""
    assert user(client(SCRAM, {"authMechanism": "MONGODB-X509"})) == (None, None, "$external", "MONGODB-X509")


@pytest.mark.parametrize("part", [{"username": "bob"}, {"password": "word"}])
def test_half_a_credential(part: dict[str, str]) -> None:
    """The other half is not taken from the user before; the mend is named."""
    with pytest.raises(ConfigurationError, match=r"user ?name") as caught:
        client(SCRAM, part)
    assert "secret" not in str(caught.value)
    assert "word" not in str(caught.value).replace("password", "")


def test_any_other_option_takes_the_place_of_the_same() -> None:
    """One by one."""
    options = client(X509 + "&authSource=$external", {"tlsCAFile": "other.pem", "tlsReloadIntervalMS": 0})
    assert (options.tls.ca_file, options.tls.certificate_key_file) == ("other.pem", "me.pem")
    assert options.tls.reload_interval is None
    assert user(options) == user(client(X509))
    assert user(client(SCRAM, {"authSource": "users"})) == ("ada", "secret", "users", None)


def test_identities_follow_each_other() -> None:
    """Each takes the place of the one before."""
    bob = {"tlsCertificateKeyFile": "bob.pem", "tlsCAFile": "bob-ca.pem"}
    options = client(X509, bob, {"tlsCertificateKeyFile": "eve.pem"})
    assert (options.tls.certificate_key_file, options.tls.ca_file) == ("eve.pem", "bob-ca.pem")


def test_all_that_is_no_identity_stays() -> None:
    """Limits, concerns, the database: another identity says nothing of them."""
    given = {"maxPoolSize": 3, "timeoutMS": 500, "w": 2, "tz_aware": True, "tlsFailFast": False, "appname": "shop"}
    before, after = (
        client(X509, *more, **given) for more in ((), ({"tlsCertificateKeyFile": "bob.pem", "username": None},))
    )
    assert (before.pool, before.timeout, before.write_concern) == (after.pool, after.timeout, after.write_concern)
    assert (before.codec_options, before.database, before.app_name) == (
        after.codec_options,
        after.database,
        after.app_name,
    )
    assert not after.tls_fail_fast


# What is refused


@pytest.mark.parametrize(
    "name", ["maxPoolSize", "MAXPOOLSIZE", "tls", "ssl", "tlsFailFast", "readPreference", "appname"]
)
def test_what_is_of_no_identity_is_refused(name: str) -> None:
    """All clients of a topology have the same; says where it belongs."""
    with pytest.raises(ConfigurationError, match=f"{name} cannot be changed by with_identity") as caught:
        client(X509, {name: True})
    assert "give it to the client that with_identity() is called on" in str(caught.value)


def test_a_mistake_in_a_name() -> None:
    """As everywhere, with a suggestion."""
    with pytest.raises(ConfigurationError, match="tlsCertificateKeyFile"):
        client(X509, {"tlsCertificateKeyFiel": "bob.pem"})


@pytest.mark.parametrize(
    ("host", "identity", "says"),
    [
        ("mongodb://h/", {"authMechanism": "MONGODB-X509"}, "needs TLS"),
        ("mongodb://h/?tls=true", {"authMechanism": "MONGODB-X509"}, "needs a client certificate"),
        ("mongodb://h/?tls=false", {"tlsCertificateKeyFile": "bob.pem"}, "tls=false contradicts"),
        (X509, {"tls_identity": BOB, "tlsCertificateKeyFile": "bob.pem"}, "tls_identity"),
        (X509, {"authMechanism": "PLAIN", "username": "bob", "password": "word"}, "not supported yet"),
        (X509, {"tlsCertificateKeyFile": 7}, "tlsCertificateKeyFile: expected"),
        (X509, {"authSource": "admin"}, "authSource can only be"),
    ],
)
def test_the_result_is_checked_as_a_whole(host: str, identity: dict[str, Any], says: str) -> None:
    """What would be refused of a client is refused of an identity."""
    with pytest.raises(ConfigurationError, match=says):
        client(host, identity)


def test_every_option_is_typed_and_known() -> None:
    """What editors complete is what is taken; the rest of TLS and authentication is the topology's."""
    assert set(IdentityOptions.__annotations__) <= set(OPTIONS)
    of_both = {name for name in OPTIONS if name.startswith(("tls", "auth", "ssl"))}
    assert of_both - set(IdentityOptions.__annotations__) == {"tls", "tlsFailFast"}


# What is said


def test_warnings_are_not_repeated() -> None:
    """Of the options before, everything was said when that client was made."""
    uri = "mongodb://h/?foo=1&tlsCAFile=ca.pem&w=1&w=2&tlsReloadIntervalMS=-5"
    options = {"ssl_keyfile": "me.pem", "serverSelectionTryOnce": True}
    with warnings.catch_warnings(record=True) as first:
        warnings.simplefilter("always")
        client(uri, **options)
    assert len(first) > 3
    with warnings.catch_warnings(record=True) as again:
        warnings.simplefilter("always")
        client(uri, {"ssl_ca_certs": "other.pem"}, {"tlsCertificateKeyFile": "bob.pem"}, **options)
    assert not again


def test_a_former_name_works_and_warns() -> None:
    """As everywhere; the warning points at the caller."""
    with pytest.warns(DeprecationWarning, match="ssl_certfile is a former name") as caught:
        options = client(X509, {"ssl_certfile": "bob.pem"})
    assert options.tls.certificate_key_file == "bob.pem"
    assert caught[0].filename == __file__
