"""Asking the user's own code for an identity or a password: on the loop, for a bounded time, told in our words."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.errors import ConfigurationError, TLSError
from aiomongo_tls.tls.sources import sources_of

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_identity import TLSIdentityProvider
    from aiomongo_tls.core.options.tls_options import TLSOptions

UNAVAILABLE = "identity-unavailable"
"""The reason of a TLSError: what the client presents itself with cannot be had at the moment."""


async def ask_for_identity(provider: TLSIdentityProvider, limit: float | None) -> TLSIdentity:
    """Ask a provider for the identity to use.

    Args:
        provider: the value of `tls_identity`.
        limit: seconds that it may take, None for any number.

    Raises:
        TLSError: it raised ConnectionError or TimeoutError, or its time was up; reason `identity-unavailable`.
        ConfigurationError: it raised anything else, or gave something else.
    """
    what = f"tls_identity: {type(provider).__name__}.identity()"
    answer = await _asked(provider.identity, what, limit)
    if not isinstance(answer, TLSIdentity):
        raise ConfigurationError(f"{what} has to return a TLSIdentity; got {type(answer).__name__}")
    return answer


async def with_password(options: TLSOptions, limit: float | None) -> TLSOptions:
    """Ask the coroutine function of a password, and put its answer in the function's place.

    Args:
        options: options whose key has such a password.
        limit: seconds that it may take, None for any number.

    Raises:
        TLSError: it raised ConnectionError or TimeoutError, or its time was up; reason `identity-unavailable`.
        ConfigurationError: it raised anything else, or gave something else.
    """
    sources = sources_of(options)
    what = sources.password_option
    assert callable(sources.password), "only a function is asked"  # noqa: S101
    answer = await _asked(sources.password, f"{what}: the function", limit)
    if not isinstance(answer, (str, bytes)):
        raise ConfigurationError(f"{what} has to be str or bytes; its function gave {type(answer).__name__}")
    if isinstance(options.identity, TLSIdentity):
        return replace(options, identity=replace(options.identity, password=answer))
    return replace(options, certificate_key_file_password=answer)


async def _asked(function: Callable[[], Any], what: str, limit: float | None) -> Any:
    timer: asyncio.Timeout | None = None
    try:
        answer = function()
        if not inspect.isawaitable(answer):
            raise ConfigurationError(f"{what} has to be a coroutine function (`async def`)")
        async with asyncio.timeout(limit) as timer:
            return await answer
    except ConfigurationError:
        raise
    except (ConnectionError, TimeoutError) as exc:
        # These may pass; their text stays with them, for it could hold anything.
        is_late = timer is not None and timer.expired()
        raise _unavailable(
            f"{what} has not answered within {limit:g} s" if is_late else f"{what} raised {type(exc).__name__}"
        ) from exc
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _unavailable(f"{what} was cancelled from within") from exc
    except Exception as exc:
        raise ConfigurationError(f"{what} raised {type(exc).__name__}; the cause has its words") from exc


def _unavailable(message: str) -> TLSError:
    return TLSError(
        message,
        reason=UNAVAILABLE,
        hint="see whether the source of the certificate can be reached from here; the cause says more",
    )
