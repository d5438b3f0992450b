"""What the streams of one event loop read into: one buffer for all of them.

A loop reads one stream at a time and hands over what came before it does anything else, so that nobody finds
somebody else's bytes. Loops of other threads read at the same time, so each has a buffer of its own.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

SIZE = 65536
"""Bytes of a buffer: what is read at once. With four times as much, large replies are no faster."""

_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


def buffer_of(loop: asyncio.AbstractEventLoop) -> memoryview:
    """The buffer of `loop`, shared by all its streams in both roles."""
    buffer = _of_loop.get(loop)
    if buffer is None:
        buffer = _of_loop[loop] = memoryview(bytearray(SIZE))
    return buffer
