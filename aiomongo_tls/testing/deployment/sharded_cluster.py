"""`ShardedCluster`: the routers of a sharded cluster inside the test process, for any client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiomongo_tls.testing.deployment.access import Access
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.deployment import Deployment
from aiomongo_tls.testing.deployment.load_balancer import LoadBalancer
from aiomongo_tls.testing.deployment.node import Mongos
from aiomongo_tls.testing.deployment.seat import Seat, Shared
from aiomongo_tls.testing.server import MongoTestServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import trustme

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.tls_context import TLSMode
    from aiomongo_tls.testing.users import User


class ShardedCluster(Deployment):
    """Several mongos over one store; of shards nothing can be seen.

        with ShardedCluster(mongos=2) as cluster, pymongo.MongoClient(cluster.uri()) as client: ...

        with ShardedCluster(mongos=2, load_balancer=True) as cluster: ...       # one address, loadBalanced=true

    Cursors belong to the mongos that opened them, so behind a load balancer a client has to keep to its connection.

    Args:
        mongos: how many there are.
        ca: where certificates come from, as in `MongoTestServer`.
        users: who may log in, as in `MongoTestServer`.
        tls: how TLS is spoken, as in `MongoTestServer`.
        hosts: the addresses that they listen on, each on 127.0.0.1 by default.
        names: what they are called in `uri()` if that is not the address they listen on.
        load_balancer: whether clients come through a load balancer, which gives each connection to the next mongos
            that is up, and which all of them demand to be known (`loadBalanced=true`).

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
        load_balancer: bool = False,
    ) -> None:
        if mongos < 1:
            raise ValueError("a sharded cluster has a mongos at least")
        for option, values in (("hosts", hosts), ("names", names)):
            if values and len(values) != mongos:
                raise ValueError(f"{option} has {len(values)} entries for {mongos} mongos")
        shared = Shared(Access(ca, users, tls))
        super().__init__(shared, {"loadBalanced": True} if load_balancer else {})
        clock = ClusterClock(shared.state().now)
        for number in range(mongos):
            host = hosts[number] if hosts else "127.0.0.1"
            name = names[number] if names else None
            seat = Seat(node=Mongos(clock, load_balanced=load_balancer), shared=shared, is_alone=False, name=name)
            certificate = self.certificate_for(f"mongos-{number}", host, name)
            self.servers.append(MongoTestServer(host=host, seat=seat, certificate=certificate))
        self._load_balancer = LoadBalancer(self.servers) if load_balancer else None

    def start(self) -> Self:
        """Start every mongos and the load balancer; `with` and `async with` do it too.

        Raises:
            OSError: an address is taken.
        """
        super().start()
        if self._load_balancer is not None:
            try:
                self._load_balancer.start()
            except OSError:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """Stop everything. Data and ports stay for `start()`."""
        if self._load_balancer is not None:
            self._load_balancer.stop()
        super().stop()

    @property
    def addresses(self) -> list[ServerAddress]:
        """What `uri()` lists: the load balancer if there is one, else every mongos."""
        return super().addresses if self._load_balancer is None else [self._load_balancer.address]

    def __repr__(self) -> str:
        return f"<ShardedCluster {', '.join(str(server.address) for server in self.servers)}>"

    @property
    def mongos(self) -> list[MongoTestServer]:
        """The mongos."""
        return list(self.servers)
