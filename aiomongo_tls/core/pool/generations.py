"""Which connections of a pool are stale: those of an earlier generation.

Specification: connection monitoring and pooling, "Clearing a Connection Pool" and "Load Balancer Mode". Behind a load
balancer each service has a generation of its own, which is forgotten with its last connection: then there is nothing
left that could be stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bson import ObjectId


class Generations:
    """The generation of a pool, and of each service behind a load balancer.

    Attributes:
        pool: the generation of the pool itself, from 0.
    """

    __slots__ = ("_services", "pool")

    def __init__(self) -> None:
        self.pool = 0
        # The generation of each service, and how many connections lead to it.
        self._services: dict[ObjectId, list[int]] = {}

    def of(self, service_id: ObjectId | None) -> int:
        """The generation that a connection made now would have.

        Args:
            service_id: the service it leads to; None for the pool itself.
        """
        if service_id is None:
            return self.pool
        return self._services.get(service_id, (0, 0))[0]

    def next(self, service_id: ObjectId | None) -> None:
        """Make all connections so far stale.

        Args:
            service_id: only those to this service; None for all.
        """
        if service_id is None:
            self.pool += 1
        elif service_id in self._services:
            self._services[service_id][0] += 1

    def opened(self, service_id: ObjectId) -> None:
        """Count a connection to a service."""
        self._services.setdefault(service_id, [0, 0])[1] += 1

    def closed(self, service_id: ObjectId) -> None:
        """Count a connection to a service no more."""
        entry = self._services[service_id]
        entry[1] -= 1
        if not entry[1]:
            del self._services[service_id]
