"""What clients and shells ask a server about itself."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

VERSION = "7.0.0"
"""The version of MongoDB whose answers are given."""


def ping(request: Request) -> Document:
    """Be there."""
    Fields("ping", request.document, ())
    return {}


def build_info(request: Request) -> Document:
    """Which version this stands for. `modules` says what it really is."""
    Fields(request.name, request.document, ())
    return {
        "version": VERSION,
        "gitVersion": "0" * 40,
        "modules": ["aiomongo_tls.testing"],
        "versionArray": [*map(int, VERSION.split(".")), 0],
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": MAX_DOCUMENT_SIZE,
    }


def host_info(request: Request) -> Document:
    """The machine."""
    Fields("hostInfo", request.document, ())
    return {
        "system": {"currentTime": request.server.now(), "hostname": platform.node(), "cpuAddrSize": 64},
        "os": {"type": platform.system(), "name": platform.platform(), "version": platform.release()},
        "extra": {},
    }


def whats_my_uri(request: Request) -> Document:
    """The client's address as it is seen from here."""
    Fields(request.name, request.document, ())
    return {"you": request.connection.address}


def get_parameter(request: Request) -> Document:
    """The few server parameters that clients ask for."""
    known: Document = {
        "featureCompatibilityVersion": {"version": "7.0"},
        "authenticationMechanisms": ["MONGODB-X509", "SCRAM-SHA-1", "SCRAM-SHA-256"],
    }
    if request.argument == "*":
        return known
    found = {name: known[name] for name in request.document if name in known}
    if not found:
        raise CommandError(ErrorCode.InvalidOptions, "no option found to get")
    return found


def configure_fail_point(request: Request) -> Document:
    """Turn a fail point on or off; tell how often it has acted."""
    Fields("configureFailPoint", request.document, ("mode", "data"))
    return {"count": request.fail_points.configure(request.document)}


def get_log(request: Request) -> Document:
    """An empty log: shells show warnings of the server's start from it."""
    Fields(request.name, request.document, ())
    if request.argument == "*":
        return {"names": ["global", "startupWarnings"]}
    return {"totalLinesWritten": 0, "log": []}


def get_cmd_line_opts(request: Request) -> Document:
    """The command line: none."""
    Fields(request.name, request.document, ())
    return {"argv": ["aiomongo-tls", "serve"], "parsed": {}}
