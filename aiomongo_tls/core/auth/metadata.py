"""The client document of the handshake: who connects, in at most 512 bytes of BSON.

Specification: mongodb-handshake, "Hello Command" to "Limitations". Servers log it for each connection and refuse a
larger one. Nothing is looked up here: what the machine knows comes in as a `ClientEnvironment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.version import __version__

if TYPE_CHECKING:
    from aiomongo_tls.core.options.driver_info import DriverInfo

DRIVER_NAME = "aiomongo_tls"
"""`client.driver.name`."""

MAX_CLIENT_DOCUMENT = 512
"""Bytes of BSON that servers accept as client document."""

MAX_APP_NAME = 128
"""Bytes of UTF-8 that servers accept as application name."""

_MAX_INT32 = 2**31 - 1
_INT32_DIGITS = 10
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEnvironment:
    """Facts about machine and interpreter, gathered once by whoever may look.

    Args:
        os_type: as `uname -s` says: `Linux`, `Darwin`, `Windows`.
        os_name: the distribution, `PRETTY_NAME` of `/etc/os-release` where there is one.
        os_architecture: as `uname -m` says.
        os_version: the version of the operating system or its kernel.
        implementation: `platform.python_implementation()`.
        python_version: `sys.version_info`.
        variables: the process's environment variables.
        dockerenv: whether the file `/.dockerenv` exists.
    """

    os_type: str = ""
    os_name: str = ""
    os_architecture: str = ""
    os_version: str = ""
    implementation: str = "Python"
    python_version: Sequence[object] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)  # may hold secrets
    dockerenv: bool = False

    @property
    def platform(self) -> str:
        """Interpreter and version, for example `CPython 3.11.7.final.0`."""
        return f"{self.implementation} {'.'.join(map(str, self.python_version))}".rstrip()


def client_document(
    environment: ClientEnvironment, *, app_name: str | None = None, drivers: Sequence[DriverInfo] = ()
) -> dict[str, Any]:
    """Build the client document.

    Args:
        environment: facts about machine and interpreter.
        app_name: the application's name, if the user gave one.
        drivers: libraries built on this one, the innermost first. One that is named twice counts once.

    Returns:
        The document, 512 bytes of BSON or less. What does not fit is left out in the specification's order: of `env`
        all but the name, of `os` all but the type, `env`, the end of `platform`; at last the libraries.

    Raises:
        ConfigurationError: the application's name is longer than 128 bytes.
    """
    document: dict[str, Any] = {}
    if app_name:
        app_name = _text(app_name)
        if len(app_name.encode()) > MAX_APP_NAME:
            raise ConfigurationError(f"appName is longer than {MAX_APP_NAME} bytes of UTF-8; shorten it")
        document["application"] = {"name": app_name}
    drivers = _distinct(drivers)
    document["driver"] = {
        "name": _join(DRIVER_NAME, [driver.name for driver in drivers]),
        "version": _join(__version__, [driver.version for driver in drivers]),
    }
    document["os"] = _os(environment)
    document["platform"] = _join(environment.platform, [driver.platform for driver in drivers])
    env = _env(environment)
    if env:
        document["env"] = env
    return _shrink(document)


def _distinct(drivers: Sequence[DriverInfo]) -> list[DriverInfo]:
    """Each library once. An empty string counts as not given."""
    found: dict[tuple[str, str, str], DriverInfo] = {}
    for driver in drivers:
        found.setdefault((driver.name, driver.version or "", driver.platform or ""), driver)
    return list(found.values())


def _join(own: str, others: Sequence[str | None]) -> str:
    return _SEPARATOR.join(_text(part) for part in (own, *others) if part)


def _os(environment: ClientEnvironment) -> dict[str, str]:
    optional = {
        "name": environment.os_name,
        "architecture": environment.os_architecture,
        "version": environment.os_version,
    }
    return {
        "type": _text(environment.os_type) or "unknown",
        **{name: _text(value) for name, value in optional.items() if value},
    }


def _env(environment: ClientEnvironment) -> dict[str, Any]:
    env: dict[str, Any] = _function_as_a_service(environment.variables)
    container: dict[str, str] = {}
    if environment.dockerenv:
        container["runtime"] = "docker"
    if environment.variables.get("KUBERNETES_SERVICE_HOST"):
        container["orchestrator"] = "kubernetes"
    if container:
        env["container"] = container
    return env


# name -> field -> (environment variable, whether it is a number)
_FAAS_FIELDS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "aws.lambda": {
        "region": ("AWS_REGION", False),
        "memory_mb": ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", True),
    },
    "azure.func": {},
    "gcp.func": {
        "memory_mb": ("FUNCTION_MEMORY_MB", True),
        "timeout_sec": ("FUNCTION_TIMEOUT_SEC", True),
        "region": ("FUNCTION_REGION", False),
    },
    "vercel": {
        "region": ("VERCEL_REGION", False),
    },
}


def _function_as_a_service(variables: Mapping[str, str]) -> dict[str, Any]:
    name = _service_name(variables)
    if name is None:
        return {}
    env: dict[str, Any] = {"name": name}
    for field_name, (variable, is_number) in _FAAS_FIELDS[name].items():
        value = variables.get(variable, "")
        if not is_number and value:
            env[field_name] = _text(value)
        elif value.isascii() and value.isdigit() and len(value) <= _INT32_DIGITS and int(value) <= _MAX_INT32:
            env[field_name] = int(value)
    return env


def is_function(variables: Mapping[str, str]) -> bool:
    """Whether this program runs as a short-lived function of a cloud provider.

    Args:
        variables: the environment variables.
    """
    return bool(_service_names(variables))


def _service_name(variables: Mapping[str, str]) -> str | None:
    names = _service_names(variables)
    return names.pop() if len(names) == 1 else None


def _service_names(variables: Mapping[str, str]) -> set[str]:
    names: set[str] = set()
    if variables.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_") or variables.get("AWS_LAMBDA_RUNTIME_API"):
        names.add("aws.lambda")
    if variables.get("FUNCTIONS_WORKER_RUNTIME"):
        names.add("azure.func")
    if variables.get("K_SERVICE") or variables.get("FUNCTION_NAME"):
        names.add("gcp.func")
    if variables.get("VERCEL"):
        # Vercel runs on Lambda and shows both.
        names.discard("aws.lambda")
        names.add("vercel")
    return names


def _shrink(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the limit does not admit, in the specification's order."""
    if _excess(document) > 0:
        env = {name: value for name, value in document.pop("env", {}).items() if name == "name"}
        if env:
            document["env"] = env
    if _excess(document) > 0:
        document["os"] = {"type": document["os"]["type"]}
    if _excess(document) > 0:
        document.pop("env", None)
    if (excess := _excess(document)) > 0:
        kept = document["platform"].encode()[:-excess].decode(errors="ignore")
        document["platform"] = kept
        if not kept:
            del document["platform"]
    if _excess(document) > 0:
        # Beyond the specification: long names of libraries must not make the server refuse us.
        document["driver"] = {"name": DRIVER_NAME, "version": __version__}
    return document


def _excess(document: Mapping[str, Any]) -> int:
    return len(bson.encode(document)) - MAX_CLIENT_DOCUMENT


def _text(value: str) -> str:
    """The string in a form that BSON takes: the environment may hold bytes that are not UTF-8."""
    return value.encode(errors="replace").decode()
