"""TLSIdentity as a value: what it takes, and what it never shows."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls.core.options.tls_identity import TLSIdentity, TLSIdentityProvider
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError

KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
CHAIN = "-----BEGIN CERTIFICATE-----\ncHVibGlj\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("key", [KEY, KEY.encode(), b"\x30secret", "MIGHAgEA" + "secret" * 20])
@pytest.mark.parametrize("password", ["hunter2", b"hunter2", lambda: "hunter2"])
def test_a_repr_shows_neither_key_nor_password(key: str | bytes, password: Any) -> None:
    """Also within the options; a path may be shown."""
    identity = TLSIdentity(key=key, chain=CHAIN, ca=Path("ca.pem"), password=password)
    for shown in (repr(identity), str(identity), repr(TLSOptions(identity=identity))):
        assert "key=<hidden>" in shown
        assert "chain=<content>" in shown
        assert "password=<hidden>" in shown
        assert "ca.pem" in shown
        for secret in ("hunter2", "c2VjcmV0", "secret", "lambda"):
            assert secret not in shown
    assert "key='me.pem'" in repr(TLSIdentity(key="me.pem"))
    assert "password=None" in repr(TLSIdentity(key="me.pem"))


def test_the_hash_does_not_depend_on_the_secrets() -> None:
    """Equality does: another key is another identity."""
    one = TLSIdentity(key=KEY, chain=CHAIN, password="a")
    other = replace(one, key=b"other", password=lambda: "b")
    assert hash(one) == hash(other)
    assert one != other
    assert one == TLSIdentity(key=KEY, chain=CHAIN, password="a")
    assert hash(one) != hash(replace(one, chain="another.pem"))


def test_it_is_frozen_and_copies_keep_it() -> None:
    """Whoever changes an identity makes a new one."""
    identity = TLSIdentity(key=KEY, refresh_after=60)
    with pytest.raises(FrozenInstanceError):
        identity.key = b""  # type: ignore[misc]
    assert copy.deepcopy(identity) == pickle.loads(pickle.dumps(identity)) == identity


def test_the_public_half_has_no_secret() -> None:
    """A key that is content is gone, a path says where it is."""
    public = TLSIdentity(key=KEY, chain=CHAIN, password="hunter2").public()
    assert public.password is None
    assert public.chain == CHAIN
    assert b"c2VjcmV0" not in public.key  # type: ignore[operator]
    assert TLSIdentity(key="me.pem", password="hunter2").public() == TLSIdentity(key="me.pem")


@pytest.mark.parametrize("after", [None, 0, 0.5, 3600, datetime(2030, 1, 1, tzinfo=UTC)])
def test_when_to_refresh(after: Any) -> None:
    """Seconds from now, a moment, or no word on it."""
    assert TLSIdentity(key=KEY, refresh_after=after).refresh_after == after


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"key": None}, "TLSIdentity.key: expected a path, or PEM or DER content, found a value of type NoneType"),
        ({"key": 5}, "TLSIdentity.key: expected"),
        ({"key": b""}, "TLSIdentity.key is empty"),
        ({"key": KEY, "chain": object()}, "TLSIdentity.chain: expected"),
        ({"key": KEY, "ca": ""}, "TLSIdentity.ca is empty"),
        ({"key": KEY, "password": 5}, "TLSIdentity.password: expected text, bytes"),
        ({"key": KEY, "refresh_after": -1}, "TLSIdentity.refresh_after: expected seconds"),
        ({"key": KEY, "refresh_after": True}, "TLSIdentity.refresh_after: expected seconds"),
        ({"key": KEY, "refresh_after": float("nan")}, "TLSIdentity.refresh_after: expected seconds"),
        ({"key": KEY, "refresh_after": "60"}, "TLSIdentity.refresh_after: expected seconds"),
        ({"key": KEY, "refresh_after": datetime(2030, 1, 1)}, "without a time zone"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(parts: dict[str, Any], says: str) -> None:
    """The part is named, its value is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        TLSIdentity(**parts)
    assert says in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)


def test_a_provider_is_what_has_the_method() -> None:
    """No base class is needed, it need not be hashable, and its repr stays out of the options' one."""

    class Vault:
        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Vault(token=hunter2)"

        async def identity(self) -> TLSIdentity:
            raise AssertionError

    provider: TLSIdentityProvider = Vault()
    options = TLSOptions(identity=provider)
    assert "identity=<Vault>" in repr(options)
    assert "hunter2" not in repr(options)
    hash(options)
