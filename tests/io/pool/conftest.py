"""Certificates for the peers of this folder."""

from __future__ import annotations

import pytest
from peers import Contexts


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    return Contexts()
