"""What the clients of one topology have in common: the life that it has on its event loop, and that loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from aiomongo_tls.net.loops import LoopBinding

if TYPE_CHECKING:
    import asyncio

    from aiomongo_tls.topology.life import Life


class SharedLife:
    """The present life of a topology, and who uses it. Made without I/O.

    Args:
        new_life: makes one.

    Attributes:
        life: the present one.
        binding: the loop and the process that it belongs to.
        clients: those that are not closed; weak, because one that is forgotten keeps nothing open for the others.
    """

    def __init__(self, new_life: Callable[[], Life]) -> None:
        self._new_life = new_life
        self.life = new_life()
        self.binding = LoopBinding()
        self.clients: WeakSet[object] = WeakSet()

    def move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to this loop and process from now on; afresh, if it belonged to another one before.

        Args:
            loop: the running loop.

        Raises:
            InvalidOperation: the present one is still open.
        """
        was_bound = self.binding.is_bound
        self.binding.bind(loop)
        if was_bound:
            self.begin_afresh()

    def begin_afresh(self) -> None:
        """Leave the present life behind: it belonged to a loop that is closed, or to the parent process."""
        self.life = self._new_life()
