"""Feeds the official test data of MongoDB's driver specifications to the runners in this folder.

The data is not part of the project. It is looked for where AIOMONGO_TLS_SPECIFICATIONS points, else in
`../shared/specifications` beside the checkout. A runner names the folders it runs in its module's `SUITES` and takes
an argument `case`; every case of every JSON file there becomes a test of its own, `path::description`.
"""

from __future__ import annotations

import json
import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "AIOMONGO_TLS_SPECIFICATIONS"
BESIDE = Path(__file__).parents[2].parent / "shared" / "specifications"
ROOT = Path(os.environ.get(VARIABLE) or BESIDE)
NOT_RUN = f"official cases: NOT RUN (no specifications at {ROOT}; set {VARIABLE})"

# Without data the runners would only say that they have nothing to run; one test says it clearly.
collect_ignore_glob = [] if ROOT.is_dir() else ["test_*_suite.py"]


def _skips() -> dict[str, str]:
    # Not importable by name: test folders are no packages here.
    spec = spec_from_file_location("official_skips", Path(__file__).with_name("skips.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SKIPS


def _cases(suites: list[str]) -> list[Any]:
    skips = _skips()
    params: list[Any] = []
    for path in sorted(path for suite in suites for path in (ROOT / suite).rglob("*.json")):
        where = path.relative_to(ROOT).as_posix()
        document = json.loads(path.read_text(encoding="utf-8"))
        # Some suites have one case per file.
        for case in document.get("tests", [document]):
            case_id = f"{where}::{case.get('description', path.stem)}"
            marks = [pytest.mark.official]
            if reason := skips.get(case_id) or skips.get(where):
                marks.append(pytest.mark.skip(reason=reason))
            params.append(pytest.param(case, id=case_id, marks=marks))
    return params


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "official: a case of MongoDB's official specification tests")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", _cases(metafunc.module.SUITES))


@pytest.fixture
def specifications() -> Path:
    """The root of the official test data, or a skip that says it is not there."""
    if not ROOT.is_dir():
        if os.environ.get(VARIABLE):
            pytest.fail(f"{VARIABLE} points at {ROOT}, which is no directory")
        pytest.skip(NOT_RUN)
    return ROOT


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not ROOT.is_dir():
        terminalreporter.write_line(NOT_RUN)
        return
    counts = {
        outcome: sum(
            "official" in getattr(report, "keywords", ()) for report in terminalreporter.stats.get(outcome, ())
        )
        for outcome in ("passed", "failed", "skipped")
    }
    run = counts["passed"] + counts["failed"]
    terminalreporter.write_line(f"official cases: {run} run, {counts['skipped']} skipped")
