"""The name of a library built on this one."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.options.driver_info import DriverInfo
from aiomongo_tls.errors import ConfigurationError


def test_fields() -> None:
    """Name, version and platform, in PyMongo's order."""
    info = DriverInfo("odm", "1.2", "somewhere")
    assert (info.name, info.version, info.platform) == ("odm", "1.2", "somewhere")
    assert DriverInfo("odm").version is None


@pytest.mark.parametrize("fields", [("a|b", None, None), ("a", "1|2", None), ("a", None, "p|q")])
def test_the_separator_is_refused(fields: tuple[str, str | None, str | None]) -> None:
    """A '|' would look like another library in the server's log."""
    with pytest.raises(ConfigurationError, match=r"\|"):
        DriverInfo(*fields)


def test_other_types_are_refused() -> None:
    """A wrong type is a TypeError that names the field."""
    with pytest.raises(TypeError, match="version"):
        DriverInfo("odm", 2)  # type: ignore[arg-type]
