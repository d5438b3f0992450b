"""Who may import whom: levels, purity of the deciding half, no cycles, nothing of PyMongo but bson."""

from __future__ import annotations

import sys
from graphlib import CycleError, TopologicalSorter

import pytest
from source import PACKAGE, Module, modules, room

LEVELS = ["root", "core", "tls", "net", "pool", "topology", "client", "testing", "doctor", "cli", "facade"]
MODULES = sorted(modules().values(), key=lambda module: module.name)
# `testing` and `doctor` stand beside each other.
SIDE_BY_SIDE = {frozenset({"testing", "doctor"})}

# What looks at the world: a loop, a socket, TLS, a clock, chance, the environment, a log.
IMPURE = {"asyncio", "contextvars", "logging", "os", "random", "secrets", "select", "selectors", "signal", "socket"}
IMPURE |= {"ssl", "subprocess", "tempfile", "threading", "time", "concurrent", "multiprocessing", "pathlib", "platform"}

by_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


@by_module
def test_imports_go_downward_only(module: Module) -> None:
    """A module imports its own room and the rooms below, never across and never up, not even lazily."""
    here = room(module.name)
    for imported in module.imports():
        if imported.module not in modules() or module.name == PACKAGE:
            continue
        there = room(imported.module)
        where = f"{module.path}:{imported.line}: {here} imports {there} ({imported.module})"
        assert LEVELS.index(there) <= LEVELS.index(here), where
        assert frozenset({here, there}) not in SIDE_BY_SIDE, where


@by_module
def test_only_bson_of_the_pymongo_distribution(module: Module) -> None:
    """Nothing in the package imports pymongo or gridfs, lazily or for types."""
    for imported in module.imports():
        assert imported.module.split(".")[0] not in {"pymongo", "gridfs"}, f"{module.path}:{imported.line}"


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room(module.name) in {"root", "core"}], ids=lambda module: module.name
)
def test_the_deciding_half_is_pure(module: Module) -> None:
    """`core/` and the modules at the root import no loop, socket, TLS, clock, chance, environment or log."""
    for imported in module.imports():
        if not imported.for_types_only:
            assert imported.module.split(".")[0] not in IMPURE, f"{module.path}:{imported.line}: {imported.module}"


def test_no_import_cycle() -> None:
    """No cycle, counting lazy imports and those that only serve type checkers."""
    graph = {
        module.name: {i.module for i in module.imports() if i.module in modules() and i.module != module.name}
        for module in MODULES
        if module.name != PACKAGE
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@by_module
def test_third_party_imports_are_declared(module: Module) -> None:
    """What a module imports is the standard library, a dependency, or the package of an extra."""
    declared = {"bson", "certifi", "dns", "cryptography", "trustme", "mongomock", "uvloop", "pytest", PACKAGE}
    for imported in module.imports():
        top = imported.module.split(".")[0]
        # Type checkers bring typing_extensions along; at run time it is no dependency.
        if top == "typing_extensions" and imported.for_types_only:
            continue
        assert top in declared or top in sys.stdlib_module_names, f"{module.path}:{imported.line}: {top}"
