"""The name of a library that is built on this one."""

from __future__ import annotations

from dataclasses import dataclass, fields

from aiomongo_tls.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """What a library built on this one adds to the client document that servers log.

    Args:
        name: the library's name.
        version: its version.
        platform: anything about the platform that is worth logging.

    Raises:
        ConfigurationError: a value holds `|`, which joins the names of several libraries in the client document.
        TypeError: a value is not a string.
    """

    name: str
    version: str | None = None
    platform: str | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"DriverInfo's {entry.name} is a string, not {type(value).__name__}")
            if value and "|" in value:
                raise ConfigurationError(f"DriverInfo's {entry.name} cannot hold '|', which separates libraries")
