"""The top level of the package: everything by its name, nothing loaded before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import aiomongo_tls
from aiomongo_tls import errors

HEAVY = ("asyncio", "bson", "ssl", "logging", "socket", "aiomongo_tls.client", "aiomongo_tls.errors")


def imported_for_types() -> dict[str, str]:
    """What type checkers read: name -> module."""
    tree = ast.parse(Path(aiomongo_tls.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    found: dict[str, str] = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        found |= {alias.asname or alias.name: statement.module or "" for alias in statement.names}
    return found


def test_type_checkers_and_the_table_agree() -> None:
    """The imports under TYPE_CHECKING, the table and `__all__` name the same things."""
    found = imported_for_types()
    assert found.pop("errors") == "aiomongo_tls"
    assert found == aiomongo_tls._HOME_OF
    assert sorted(aiomongo_tls.__all__) == sorted(aiomongo_tls._HOME_OF)
    assert len(set(aiomongo_tls.__all__)) == len(aiomongo_tls.__all__)


@pytest.mark.parametrize("name", aiomongo_tls.__all__)
def test_a_name_is_the_thing_of_its_module(name: str) -> None:
    """Not a copy, and the same each time."""
    module = sys.modules[aiomongo_tls._HOME_OF[name]] if hasattr(aiomongo_tls, name) else None
    assert getattr(aiomongo_tls, name) is getattr(module, name)
    assert name in dir(aiomongo_tls)


def test_every_error_is_exported() -> None:
    """A user catches errors without knowing the modules."""
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    public = {cls.__name__ for cls in classes if cls.__module__ == errors.__name__}
    assert public - {"Phase"} <= set(aiomongo_tls.__all__)
    assert aiomongo_tls.PyMongoError is aiomongo_tls.MongoError
    assert aiomongo_tls.errors is errors


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in every module."""
    with pytest.raises(AttributeError, match="AsyncClint"):
        aiomongo_tls.AsyncClint  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Pytest loads this package in every run of every project that has it installed."""
    program = f"""if True:
        import sys
        before = set(sys.modules)
        import aiomongo_tls
        dir(aiomongo_tls)
        print(*(name for name in {HEAVY!r} if name in set(sys.modules) - before))
        aiomongo_tls.errors
        aiomongo_tls.AsyncClient
        print(*(name for name in {HEAVY!r} if name not in sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n\n", "loaded too early in the first line, not at all in the second"


def test_star_import_gives_the_public_names() -> None:
    """`from aiomongo_tls import *` works through the lazy table."""
    names: dict[str, object] = {}
    exec("from aiomongo_tls import *", names)
    assert set(aiomongo_tls.__all__) <= set(names)
