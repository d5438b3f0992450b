"""The password of a key: from the option, never from the terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.key_password import AsyncPassword, KeyPassword


@pytest.mark.parametrize("password", ["sécret", "sécret".encode(), lambda: "sécret", lambda: "sécret".encode()])
def test_a_password_is_str_bytes_or_a_function(password: Any) -> None:
    """They are all the same bytes."""
    asked = KeyPassword(password, "me.pem")
    assert asked.value is None
    assert asked() == "sécret".encode()
    assert asked.value == "sécret".encode()


def test_a_function_is_called_when_needed_and_once() -> None:
    """It may ask a vault, or a person."""
    calls: list[int] = []

    def password() -> str:
        calls.append(1)
        return "secret"

    asked = KeyPassword(password, "me.pem")
    assert calls == []
    assert asked() == asked() == b"secret"
    assert calls == [1]


def test_without_a_password_the_option_is_named() -> None:
    """And which key wants it."""
    with pytest.raises(
        ConfigurationError, match=r"key in 'me\.pem' is encrypted; give its password in tlsCertificateKeyFilePassword"
    ):
        KeyPassword(None, "me.pem")()


def test_the_exception_of_a_function_is_the_cause() -> None:
    """Its text stays out of ours: it could hold the password."""

    def password() -> str:
        raise LookupError("vault sealed with secret")

    with pytest.raises(ConfigurationError, match="raised LookupError") as caught:
        KeyPassword(password, "me.pem")()
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, LookupError)


async def _coroutine() -> str:
    raise AssertionError


@pytest.mark.parametrize(
    ("password", "kind"),
    [(5, "int"), (lambda: None, "NoneType"), (bytearray(b"x"), "bytearray"), (lambda: _coroutine(), "coroutine")],
)
def test_anything_else_is_refused_by_its_type(password: Callable[[], str], kind: str) -> None:
    """A coroutine is closed, so that it does not warn."""
    with pytest.raises(ConfigurationError, match=f"tlsCertificateKeyFilePassword has to be .* got {kind}"):
        KeyPassword(password, "me.pem")()


class _Vault:
    async def __call__(self) -> str:
        raise AssertionError


@pytest.mark.parametrize("password", [_coroutine, partial(_coroutine), _Vault(), _Vault().__call__])
def test_a_coroutine_function_is_not_called_where_nobody_can_await_it(password: Any) -> None:
    """The error says so to whoever loads synchronously; a client catches it and awaits the function."""
    with pytest.raises(AsyncPassword, match=r"TLSIdentity\.password is a coroutine function.*give a plain function"):
        KeyPassword(password, "me.pem", "TLSIdentity.password")()


def test_what_is_not_unicode() -> None:
    """The environment's bytes get through; for the rest the codec's own error would carry the password."""
    assert KeyPassword(b"caf\xe9".decode(errors="surrogateescape"), "me.pem")() == b"caf\xe9"
    with pytest.raises(ConfigurationError, match="tlsCertificateKeyFilePassword is not valid Unicode") as caught:
        KeyPassword("secret\ud800", "me.pem")()
    assert caught.value.__cause__ is caught.value.__context__ is None
