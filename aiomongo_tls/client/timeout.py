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
    raises an error whose `timeout` is true, unless an attempt had failed before in another way: then that is raised,
    because it may have been carried out. The time does not cut short what needs no server, as `asyncio.timeout` would.
    It is told to the server as no command's `maxTimeMS` yet: a command that is given up may go on there.

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


def own_deadline(milliseconds: object) -> Deadline:
    """The deadline of one operation that begins now and has a `timeoutMS` of its own.

    Args:
        milliseconds: its `timeoutMS`; 0 for no limit.

    Raises:
        TypeError: not a number.
        ValueError: negative, or no number of anything.
    """
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        raise TypeError(f"timeoutMS is a number of milliseconds or None, not {type(milliseconds).__name__}")
    if not milliseconds >= 0:
        raise ValueError(f"timeoutMS is a number of milliseconds, 0 or more, not {milliseconds}")
    return Deadline.after(milliseconds / 1000, f"timeoutMS={milliseconds:g}", now=running_loop().time())
