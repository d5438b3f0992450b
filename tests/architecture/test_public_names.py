"""Every public name explains itself, and files and functions keep a readable size."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest
from source import PACKAGE, Module, modules

MODULES = sorted(modules().values(), key=lambda module: module.name)
FACADES = [PACKAGE, f"{PACKAGE}.testing"]
ROOMS = [module for module in MODULES if module.is_package and module.name not in FACADES]
by_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The public functions, classes and methods of a module, with their dotted names."""
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            if any(ast.unparse(decorator).endswith((".setter", "overload")) for decorator in child.decorator_list):
                continue
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child, f"{prefix}{child.name}.")


@by_module
def test_every_module_has_a_docstring(module: Module) -> None:
    """A module says what lives in it."""
    assert ast.get_docstring(module.tree), module.path


@by_module
def test_every_public_name_has_a_docstring(module: Module) -> None:
    """A public class, function or method says what it is for."""
    missing = [name for name, node in public_definitions(module.tree) if not ast.get_docstring(node)]
    assert not missing, f"{module.path}: {missing}"


@pytest.mark.parametrize("module", ROOMS, ids=lambda module: module.name)
def test_rooms_are_design_notes(module: Module) -> None:
    """A folder's `__init__` below the facades holds a docstring and no code."""
    assert len(module.tree.body) == 1, f"{module.path} holds more than its design note"


@pytest.mark.parametrize("facade", FACADES)
def test_every_exported_name_exists(facade: str) -> None:
    """What `__all__` promises can be imported and is documented."""
    module = importlib.import_module(facade)
    for name in module.__all__:
        assert getattr(module, name) is not None, name
        assert name in dir(module)
