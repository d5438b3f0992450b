"""`timeout(seconds)`: one deadline for everything in a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.net.loops import running_loop

_block: ContextVar[Deadline | None] = ContextVar("aiomongo_tls_timeout", default=None)


def timeout(seconds: float | None) -> AbstractContextManager[None]:
    """Bounds the time of everything in a block, whatever `timeoutMS` says.

        with aiomongo_tls.timeout(1.5):
            await users.insert_one(document)
            await users.find_one({"_id": 1})

    All operations share the time that is left. A block within a block can only shorten it. What runs out of time
    raises an error whose `timeout` is true; the time does not cut short what needs no server, as `asyncio.timeout`
    would. It is told to the server as no command's `maxTimeMS` yet: a command that is given up may go on there.

    Args:
        seconds: the time in seconds; None or 0 for no limit but that of a block around this one.

    Raises:
        TypeError: not a number.
        ValueError: negative.
    """
    return _bounded(_checked(seconds))


def _checked(seconds: object) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"timeout is a number of seconds or None, not {type(seconds).__name__}")
    if seconds < 0:
        raise ValueError(f"timeout cannot be negative: {seconds}")
    return seconds


@contextmanager
def _bounded(seconds: float | None) -> Generator[None]:
    now = running_loop().time()
    deadline = Deadline.after(seconds, f"timeout({seconds:g})" if seconds else "", now=now)
    token = _block.set(deadline.tightened(_block.get() or NEVER))
    try:
        yield
    finally:
        _block.reset(token)


def block_deadline() -> Deadline | None:
    """The deadline of the block that is running, None outside of one."""
    return _block.get()
