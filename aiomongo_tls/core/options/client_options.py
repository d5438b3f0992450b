"""Everything one client was told, validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.concerns import DEFAULT_READ_CONCERN, DEFAULT_WRITE_CONCERN, ReadConcern, WriteConcern
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.options.tls_options import TLSOptions

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.core.options.driver_info import DriverInfo
    from aiomongo_tls.core.options.srv_options import SRVOptions
    from aiomongo_tls.core.sdam.server_description import ServerDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """The options of one client. Made by `core.uri.resolve.resolve()`; times are seconds, None for no limit.

    Args:
        seeds: the servers to start from; none for mongodb+srv until they are looked up.
        srv: how to look them up, None unless the scheme is mongodb+srv.
        database: the database in the URI's path, what `get_default_database()` returns.
        app_name: `appName`, what the server logs for this program.
        tls: the TLS options.
        pool: the pool options.
        monitoring: the monitoring options.
        credential: who the client is, None for nobody.
        read_preference: where to read from.
        read_concern: how well confirmed a read must be.
        write_concern: how well confirmed a write must be.
        codec_options: how documents are made from BSON and the other way round.
        connect_timeout: `connectTimeoutMS`, bounds one attempt from DNS to authentication.
        server_selection_timeout: `serverSelectionTimeoutMS`, the longest wait for a suitable server.
        socket_timeout: `socketTimeoutMS`, the longest silence of a server.
        timeout: `timeoutMS`, bounds a whole operation.
        direct_connection: `directConnection`: talk to this one server, whatever it is a member of.
        replica_set: `replicaSet`, the name that the servers must have.
        load_balanced: `loadBalanced`: the server is a load balancer.
        retry_reads: `retryReads`.
        retry_writes: `retryWrites`.
        compressors: `compressors`, in order of preference.
        zlib_compression_level: `zlibCompressionLevel`, -1 for zlib's default.
        max_adaptive_retries: `maxAdaptiveRetries`, retries of an operation that an overloaded server turned away.
        enable_overload_retargeting: `enableOverloadRetargeting`.
        driver: the library that is built on this one.
        server_selector: `server_selector`, takes its pick of the suitable servers.
        event_listeners: `event_listeners`, who is told of what happens.
        max_idle_identities: `maxIdleIdentities`, how many identities of `with_identity()` keep their connections when
            no client has them any more.
        tls_fail_fast: `tlsFailFast`: permanent TLS and authentication faults are raised at once instead of being
            waited out.
    """

    seeds: tuple[ServerAddress, ...] = (ServerAddress("localhost"),)
    srv: SRVOptions | None = None
    database: str | None = None
    app_name: str | None = None
    tls: TLSOptions = field(default_factory=TLSOptions)
    pool: PoolOptions = field(default_factory=PoolOptions)
    monitoring: MonitoringOptions = field(default_factory=MonitoringOptions)
    credential: MongoCredential | None = None
    read_preference: ReadPreference = ReadPreference.PRIMARY
    read_concern: ReadConcern = DEFAULT_READ_CONCERN
    write_concern: WriteConcern = DEFAULT_WRITE_CONCERN
    codec_options: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS
    connect_timeout: float | None = 10.0
    server_selection_timeout: float | None = 30.0
    socket_timeout: float | None = None
    timeout: float | None = None
    direct_connection: bool = False
    replica_set: str | None = None
    load_balanced: bool = False
    retry_reads: bool = True
    retry_writes: bool = True
    compressors: tuple[str, ...] = ()
    zlib_compression_level: int = -1
    max_adaptive_retries: int = 2
    enable_overload_retargeting: bool = False
    driver: DriverInfo | None = None
    server_selector: Callable[[list[ServerDescription]], list[ServerDescription]] | None = None
    event_listeners: tuple[object, ...] = ()
    max_idle_identities: int = 8
    tls_fail_fast: bool = True

    @property
    def origin(self) -> str:
        """Where the client was told to find its servers, for messages: `db1:27017,db2:27017`, `mongodb+srv://name`."""
        if self.srv is not None:
            return f"mongodb+srv://{self.srv.host}"
        return ",".join(str(seed) for seed in self.seeds)
