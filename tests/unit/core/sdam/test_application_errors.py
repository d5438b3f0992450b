"""What an error of an operation, or of opening a connection, says about its server."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from bson.int64 import Int64
from descriptions import at, server, topology

from aiomongo_tls.core.reply import error_in, write_error_in
from aiomongo_tls.core.sdam.application_errors import IGNORED, Effect, When, effect_of
from aiomongo_tls.core.sdam.server_description import unknown
from aiomongo_tls.core.sdam.topology_description import TopologyDescription
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.sdam.topology_version import TopologyVersion
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    NetworkTimeout,
    OperationFailure,
    Phase,
    PoolClearedError,
    PoolClosedError,
    ProtocolError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSProtocolError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

A = at("a")
RUN, SERVICE = ObjectId(), ObjectId()
RS = topology(
    TopologyType.REPLICA_SET_WITH_PRIMARY,
    server("a", ServerType.RS_PRIMARY, topology_version=TopologyVersion(RUN, 5)),
)
BALANCED = topology(TopologyType.LOAD_BALANCED, server("a", ServerType.LOAD_BALANCER))
LOST = AutoReconnect("connection reset", host=A, phase=Phase.REQUEST)
SILENT = NetworkTimeout("no reply", host=A, phase=Phase.REQUEST)
REFUSED = AuthenticationFailed("no", 18, {}, host=A)
BEFORE_USE = [When.ESTABLISHING, When.GREETING, When.AUTHENTICATING]


def command_error(code: int | None, message: str = "", counter: int | None = None) -> Exception:
    reply: dict[str, Any] = {"ok": 0, "errmsg": message}
    if code is not None:
        reply["code"] = code
    if counter is not None:
        reply["topologyVersion"] = {"processId": RUN, "counter": Int64(counter)}
    return error_in(reply, host=A)


def effect(error: Exception, when: When = When.IN_USE, here: TopologyDescription = RS, **options: Any) -> Effect:
    defaults = {"address": A, "connection_generation": 1, "pool_generation": 1}
    return effect_of(error, topology=here, when=when, **{**defaults, **options})


def overloaded(error: AutoReconnect) -> AutoReconnect:
    error.add_error_label("SystemOverloadedError")
    return error


class TestStateChanges:
    """The server is not what we took it for."""

    @pytest.mark.parametrize("when", When)
    @pytest.mark.parametrize("code", [11602, 13436, 189, 10107, 13435, 10058])
    def test_not_primary_or_recovering(self, code: int, when: When) -> None:
        """The server becomes Unknown and is checked soon; its connections are still good."""
        error = command_error(code)
        assert effect(error, when) == Effect(description=unknown(A, error=error), requests_check=True)

    @pytest.mark.parametrize("when", When)
    @pytest.mark.parametrize("code", [11600, 91])
    def test_shutting_down(self, code: int, when: When) -> None:
        """The connections of a server that is shutting down are cleared, too."""
        error = command_error(code)
        assert effect(error, when) == Effect(description=unknown(A, error=error), clears_pool=True, requests_check=True)

    @pytest.mark.parametrize("message", ["not master", "not master or secondary", "node is recovering"])
    def test_by_message(self, message: str) -> None:
        """Without a code the message counts, beside a code it does not."""
        assert effect(command_error(None, message)).requests_check
        assert effect(command_error(1, message)) is IGNORED

    def test_write_concern_error(self) -> None:
        """A write concern error counts by its code."""
        error = WriteConcernError("stepped down", 189, {"code": 189, "errmsg": "stepped down"})
        assert effect(error) == Effect(description=unknown(A, error=error), requests_check=True)
        assert effect(WriteConcernError("shutdown", 91, {"code": 91})).clears_pool
        assert effect(WriteConcernError("no quorum", 100, {"code": 100, "errmsg": "no quorum"})) is IGNORED

    def test_write_errors(self) -> None:
        """The error of a single write never counts."""
        assert effect(write_error_in({"code": 10107, "errmsg": "not master"})) is IGNORED
        bulk = BulkWriteError({"writeErrors": [{"code": 10107, "errmsg": "not master"}], "writeConcernErrors": []})
        assert effect(bulk) is IGNORED


class TestStale:
    """Errors that tell of the past."""

    @pytest.mark.parametrize("error", [LOST, SILENT, REFUSED, command_error(91)])
    @pytest.mark.parametrize("when", When)
    def test_older_generation(self, error: Exception, when: When) -> None:
        """A connection from before the pool was cleared tells nothing new."""
        assert effect(error, when, pool_generation=2) is IGNORED

    @pytest.mark.parametrize(("counter", "is_news"), [(4, False), (5, False), (6, True)])
    def test_topology_version(self, counter: int, is_news: bool) -> None:
        """A state change is news only with a higher counter, which the new description keeps."""
        error = command_error(10107, counter=counter)
        expected = unknown(A, error=error, topology_version=TopologyVersion(RUN, counter))
        assert effect(error).description == (expected if is_news else None)

    def test_removed_server(self) -> None:
        """What happens at a server that was removed does not matter any more."""
        assert effect(LOST, address=at("b")) is IGNORED


class TestBeforeUse:
    """A connection could not be opened."""

    @pytest.mark.parametrize("when", BEFORE_USE)
    @pytest.mark.parametrize(
        "error",
        [
            LOST,
            SILENT,
            REFUSED,
            ServerCertificateError("expired", reason="certificate-expired"),
            OperationFailure("no", 1, {"ok": 0}),
            ProtocolError("not MongoDB"),
            ConfigurationError("too old"),
        ],
    )
    def test_failure(self, error: Exception, when: When) -> None:
        """Whatever it was: the server becomes Unknown, its pool is cleared and a running check broken off."""
        assert effect(error, when) == Effect(description=unknown(A, error=error), clears_pool=True, cancels_check=True)

    def test_overload(self) -> None:
        """What may mean that the server has too much to do changes nothing."""
        assert effect(overloaded(AutoReconnect("reset")), When.ESTABLISHING) is IGNORED
        assert effect(overloaded(NetworkTimeout("no reply")), When.ESTABLISHING) is IGNORED


class TestShared:
    """Other principals use the server as well."""

    @pytest.mark.parametrize("when", [When.GREETING, When.AUTHENTICATING])
    @pytest.mark.parametrize(
        ("error", "may_pass"),
        [
            (REFUSED, False),
            (ServerCertificateError("expired", reason="certificate-expired"), False),
            (ProtocolError("not MongoDB"), False),
            (LOST, True),
            (SILENT, True),
            (OperationFailure("no", 1, {"ok": 0}), True),
        ],
    )
    def test_refused(self, error: Exception, when: When, may_pass: bool) -> None:
        """It is this one's own affair; where waiting may help, the monitor looks whether it is the server's."""
        found = effect(error, when, is_shared=True)
        assert found == Effect(clears_pool=True, is_refusal=True, requests_check=may_pass)
        assert found.description is None

    @pytest.mark.parametrize("error", [LOST, SILENT])
    def test_not_reached(self, error: Exception) -> None:
        """Before TLS nobody knows who is there: the others would not reach the server either."""
        assert effect(error, When.ESTABLISHING, is_shared=True) == effect(error, When.ESTABLISHING)

    @pytest.mark.parametrize("error", [LOST, SILENT, REFUSED, command_error(91), command_error(10107)])
    def test_in_use(self, error: Exception) -> None:
        """What happens to an open connection says of the server what it always says."""
        assert effect(error, is_shared=True) == effect(error)

    @pytest.mark.parametrize("when", [When.GREETING, When.AUTHENTICATING])
    @pytest.mark.parametrize("code", [11600, 10107])
    def test_state_changes(self, code: int, when: When) -> None:
        """That the server is none for anybody any more is no refusal of one."""
        assert effect(command_error(code), when, is_shared=True) == effect(command_error(code), when)

    def test_overload(self) -> None:
        """What may mean that the server has too much to do changes nothing."""
        assert effect(overloaded(AutoReconnect("reset")), When.GREETING, is_shared=True) is IGNORED

    def test_of_the_past(self) -> None:
        """A connection from before the pool was cleared tells nothing new."""
        assert effect(REFUSED, When.AUTHENTICATING, is_shared=True, pool_generation=2) is IGNORED

    def test_behind_a_load_balancer(self) -> None:
        """Before the service is known there is nothing to clear; afterwards its part of the own pool."""
        for when in (When.GREETING, When.AUTHENTICATING):
            assert effect(REFUSED, when, BALANCED, is_shared=True) == Effect(is_refusal=True)
        known = effect(REFUSED, When.AUTHENTICATING, BALANCED, is_shared=True, service_id=SERVICE)
        assert known == Effect(clears_pool=True, service_id=SERVICE, is_refusal=True)


class TestInUse:
    """A connection was lost, or a reply did not come."""

    @pytest.mark.parametrize(
        "error", [LOST, TLSProtocolError("garbage", reason="tls-failure"), overloaded(AutoReconnect())]
    )
    def test_lost(self, error: Exception) -> None:
        """The server becomes Unknown, its pool is cleared and a running check broken off."""
        assert effect(error) == Effect(description=unknown(A, error=error), clears_pool=True, cancels_check=True)

    @pytest.mark.parametrize(
        "error",
        [
            SILENT,
            OperationFailure("no", 1, {"ok": 0}),
            AuthenticationFailed("again", 391, {}),
            ProtocolError("odd"),
            PoolClearedError("cleared"),
            PoolClosedError("closed"),
            WaitQueueTimeoutError("full"),
            ServerSelectionTimeoutError("none"),
        ],
    )
    def test_nothing_about_the_server(self, error: Exception) -> None:
        """A slow operation, a failed command, and what the client did itself change nothing."""
        assert effect(error) is IGNORED


class TestLoadBalanced:
    """Behind a load balancer."""

    @pytest.mark.parametrize("error", [LOST, SILENT, REFUSED, command_error(91), command_error(10107)])
    def test_before_hello(self, error: Exception) -> None:
        """Until the service is known nothing is touched."""
        for when in BEFORE_USE:
            assert effect(error, when, BALANCED) is IGNORED

    @pytest.mark.parametrize(
        ("error", "when"),
        [
            (LOST, When.AUTHENTICATING),
            (SILENT, When.AUTHENTICATING),
            (REFUSED, When.AUTHENTICATING),
            (LOST, When.IN_USE),
            (command_error(91), When.IN_USE),
            (command_error(11600), When.IN_USE),
        ],
    )
    def test_connections_of_the_service(self, error: Exception, when: When) -> None:
        """Only the service's connections are cleared."""
        assert effect(error, when, BALANCED, service_id=SERVICE) == Effect(clears_pool=True, service_id=SERVICE)

    @pytest.mark.parametrize("error", [SILENT, command_error(10107), command_error(189), OperationFailure("no", 1, {})])
    def test_nothing_to_clear(self, error: Exception) -> None:
        """A state change that is no shutdown changes nothing at all."""
        assert effect(error, When.IN_USE, BALANCED, service_id=SERVICE) is IGNORED
