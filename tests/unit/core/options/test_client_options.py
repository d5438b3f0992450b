"""Everything a client was told."""

from __future__ import annotations

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.options.tls_options import TLSOptions


def test_defaults() -> None:
    """Without options the specifications' defaults count, in seconds."""
    options = ClientOptions()
    assert options.seeds == (ServerAddress("localhost", 27017),)
    assert (options.connect_timeout, options.server_selection_timeout, options.timeout) == (10.0, 30.0, None)
    assert (options.pool.max_pool_size, options.pool.min_pool_size, options.pool.max_connecting) == (100, 0, 2)
    assert (options.monitoring.heartbeat_frequency, options.monitoring.local_threshold) == (10.0, 0.015)
    assert options.monitoring.server_monitoring_mode is ServerMonitoringMode.AUTO
    assert options.credential is None
    assert options.write_concern.is_server_default
    assert options.read_concern.is_server_default
    assert options.retry_reads
    assert options.retry_writes
    assert options.tls_fail_fast


def test_repr_shows_no_secret() -> None:
    """A repr can be logged."""
    shown = repr(
        ClientOptions(
            tls=TLSOptions(certificate_key_file_password="hunter2"),
            credential=MongoCredential(username="ada", password="hunter3"),
        )
    )
    assert "hunter" not in shown
    assert "ada" in shown
