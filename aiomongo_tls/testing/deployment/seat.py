"""`Seat`: what a server is given by the deployment that it belongs to, and `Shared`, what its servers share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.commands.request import ServerState
from aiomongo_tls.testing.cursors import Cursors
from aiomongo_tls.testing.users import Users

if TYPE_CHECKING:
    from aiomongo_tls.testing.deployment.access import Access
    from aiomongo_tls.testing.deployment.elections import Elections
    from aiomongo_tls.testing.deployment.node import Node


class Shared:
    """Data, users and the lock around them, for all servers of a deployment.

    Args:
        access: who may log in.

    Attributes:
        lock: guards the state and the nodes of the servers.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.lock = threading.RLock()
        self._state = self._new()

    def renew(self) -> None:
        """Begin afresh: no data, the users of the start. Servers take it over when they are reset."""
        with self.lock:
            self._state = self._new()

    def state(self) -> ServerState:
        """The state for one server: the data and users of all, and cursors of its own."""
        with self.lock:
            return replace(self._state, cursors=Cursors())

    def _new(self) -> ServerState:
        users = self.access.users
        return ServerState(users=Users(users), access_control=bool(users))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A server's place in a deployment.

    Args:
        node: what it is among others.
        shared: what it shares with them.
        uri_options: what a connection string for this server alone has to say.
        elections: elections that begin and end with this server.
        is_alone: whether nobody shares with it, so that to reset the server is to reset all.
        name: what clients call it, if that is not the address it listens on.
    """

    node: Node
    shared: Shared
    uri_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    elections: Elections | None = None
    is_alone: bool = True
    name: str | None = None
