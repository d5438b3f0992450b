"""Whether the official test data is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_official_data(specifications: Path) -> None:
    """The root holds suites, so that a wrong directory does not look like a success; without a root: NOT RUN."""
    assert list(specifications.glob("*/tests/**/*.json"))
