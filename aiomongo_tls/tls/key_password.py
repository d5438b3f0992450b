"""The password of an encrypted key, asked for when OpenSSL needs it and never on the terminal.

Without a function to call, OpenSSL asks on the terminal, and the whole process waits for an answer. So it always gets
one, which knows the password or says which option is missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.source import shown
from aiomongo_tls.tls.sources import KEY_PASSWORD

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_source import Password, TLSSource


class AsyncPassword(ConfigurationError):
    """A password is needed and its function is a coroutine function: whoever runs on an event loop awaits it first."""


class KeyPassword:
    """What OpenSSL calls for the password of an encrypted key.

    Args:
        password: the option's value. A function is called only if the key is encrypted, and once.
        source: where the key is, for messages.
        option: what the password is called.
    """

    def __init__(self, password: Password | None, source: TLSSource, option: str = KEY_PASSWORD) -> None:
        self.option = option
        self._password = password
        self._source = source
        self.value: bytes | None = None
        """The password once it was asked for; None while it was not needed."""

    def __call__(self) -> bytes:
        """The password.

        Raises:
            ConfigurationError: there is none, its function failed, or it is neither str nor bytes.
            AsyncPassword: its function is a coroutine function.
        """
        if self.value is None:
            self.value = self._as_bytes(self._answer())
        return self.value

    def _answer(self) -> object:
        if self._password is None:
            raise ConfigurationError(
                f"the private key in {shown(self._source)} is encrypted; give its password in {self.option}",
                reason="key-password-missing",
            )
        if not callable(self._password):
            return self._password
        if is_async(self._password):
            raise AsyncPassword(
                f"{self.option} is a coroutine function, which only a client on an event loop awaits; "
                "give a plain function here"
            )
        try:
            return self._password()
        except Exception as exc:
            raise ConfigurationError(
                f"{self.option}: the function that should return the password raised {type(exc).__name__}",
                reason="key-password-failed",
            ) from exc

    def _as_bytes(self, password: object) -> bytes:
        if isinstance(password, str):
            # Environment variables come with surrogates for bytes that are not UTF-8. An error of the codec would carry
            # the password, so it is not chained.
            with suppress(UnicodeEncodeError):
                return password.encode(errors="surrogateescape")
            raise ConfigurationError(f"{self.option} is not valid Unicode; give it as bytes")
        if isinstance(password, bytes):
            return password
        mend = ""
        if inspect.iscoroutine(password):
            # Left as it is, it would warn that nobody awaited it.
            password.close()
            mend = "; give the coroutine function itself, not a function that calls it"
        raise ConfigurationError(
            f"{self.option} has to be str, bytes or a function that returns one of them; "
            f"got {type(password).__name__}{mend}"
        )


def is_async(password: Callable[[], object]) -> bool:
    """Whether a function that returns a password is a coroutine function, or an object that is called like one."""
    return inspect.iscoroutinefunction(password) or inspect.iscoroutinefunction(getattr(password, "__call__", None))  # noqa: B004
