"""`ShardedCluster`: the routers of a sharded cluster inside the test process, for any client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.testing.deployment.access import Access
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.deployment import Deployment
from aiomongo_tls.testing.deployment.node import Mongos
from aiomongo_tls.testing.deployment.seat import Seat, Shared
from aiomongo_tls.testing.server import MongoTestServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import trustme

    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.tls_context import TLSMode
    from aiomongo_tls.testing.users import User


class ShardedCluster(Deployment):
    """Several mongos over one store; of shards nothing can be seen.

        with ShardedCluster(mongos=2) as cluster, pymongo.MongoClient(cluster.uri()) as client: ...

    Cursors belong to the mongos that opened them.

    Args:
        mongos: how many there are.
        ca: where certificates come from, as in `MongoTestServer`.
        users: who may log in, as in `MongoTestServer`.
        tls: how TLS is spoken, as in `MongoTestServer`.
        hosts: the addresses that they listen on, each on 127.0.0.1 by default.
        names: what they are called in `uri()` if that is not the address they listen on.

    Raises:
        ValueError: there is no such cluster.
    """

    def __init__(
        self,
        mongos: int = 2,
        *,
        ca: CertKit | trustme.CA | None = None,
        users: Iterable[Certificate | User | str] | None = None,
        tls: TLSMode = "require_client",
        hosts: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> None:
        if mongos < 1:
            raise ValueError("a sharded cluster has a mongos at least")
        for option, values in (("hosts", hosts), ("names", names)):
            if values and len(values) != mongos:
                raise ValueError(f"{option} has {len(values)} entries for {mongos} mongos")
        shared = Shared(Access(ca, users, tls))
        super().__init__(shared, {})
        clock = ClusterClock(shared.state().now)
        for number in range(mongos):
            host = hosts[number] if hosts else "127.0.0.1"
            name = names[number] if names else None
            seat = Seat(node=Mongos(clock), shared=shared, is_alone=False, name=name)
            certificate = self.certificate_for(f"mongos-{number}", host, name)
            self.servers.append(MongoTestServer(host=host, seat=seat, certificate=certificate))

    def __repr__(self) -> str:
        return f"<ShardedCluster {', '.join(str(server.address) for server in self.servers)}>"

    @property
    def mongos(self) -> list[MongoTestServer]:
        """The mongos."""
        return list(self.servers)
