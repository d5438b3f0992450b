"""Names of databases and collections."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.names import check_collection_name, check_database_name
from aiomongo_tls.errors import InvalidName


@pytest.mark.parametrize("name", ["app", "a-b", "größe", "$external"])
def test_a_database_name_passes_as_it_is(name: str) -> None:
    """What MongoDB allows comes back unchanged."""
    assert check_database_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a$b", "a/b", "a\\b", "a\0b", 'a"b', "$externalx"])
def test_a_forbidden_database_name_is_refused(name: str) -> None:
    """What MongoDB forbids is refused here, before a server answers with something less clear."""
    with pytest.raises(InvalidName):
        check_database_name(name)


@pytest.mark.parametrize("name", ["users", "a.b.c", "system.views", "$cmd", "$cmd.aggregate", "oplog.$main", "a b"])
def test_a_collection_name_passes_as_it_is(name: str) -> None:
    """Dots inside are allowed, and the few names with a $ that servers have themselves."""
    assert check_collection_name(name) == name


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "a$b", "a\0b"])
def test_a_forbidden_collection_name_is_refused(name: str) -> None:
    """What MongoDB forbids is refused here."""
    with pytest.raises(InvalidName):
        check_collection_name(name)


@pytest.mark.parametrize("check", [check_database_name, check_collection_name])
def test_a_name_is_a_string(check: object) -> None:
    """Anything but a string is a TypeError that says what it was."""
    with pytest.raises(TypeError, match="not int"):
        check(3)  # type: ignore[operator]
