"""The package's own source, as the architecture tests read it: modules, their imports, their public names."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "aiomongo_tls"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One import statement: the module it names, and whether it runs or only serves type checkers."""

    module: str
    line: int
    for_types_only: bool


@dataclass(frozen=True)
class Module:
    """One source file with its dotted name."""

    name: str
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def tree(self) -> ast.Module:
        return _parse(self.path)

    def imports(self) -> list[Import]:
        """Every import of the file, at any depth: a lazy import is an import."""
        found: list[Import] = []
        self._collect(self.tree, False, found)
        return found

    def _collect(self, node: ast.AST, typing_only: bool, found: list[Import]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found += [Import(alias.name, child.lineno, typing_only) for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{self.path}:{child.lineno}: relative import"
                base = child.module or ""
                for alias in child.names:
                    name = f"{base}.{alias.name}"
                    found.append(Import(name if name in modules() else base, child.lineno, typing_only))
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for statement in child.body:
                    self._collect(ast.Module([statement], []), True, found)
                for statement in child.orelse:
                    self._collect(ast.Module([statement], []), typing_only, found)
            else:
                self._collect(child, typing_only, found)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        name = ".".join(parts)
        found[name] = Module(name, path)
    return found


def room(name: str) -> str:
    """The part of the package a module belongs to: `core`, `tls`, ..., or `root` for a module at the top."""
    parts = name.split(".")
    if len(parts) == 1:
        return "facade"
    return parts[1] if len(parts) > 2 or modules()[name].is_package else ROOT_MODULES.get(parts[1], "root")


# Modules that lie at the top level but belong to the top of the import order.
ROOT_MODULES = {"cli": "cli", "__main__": "cli"}
