"""Both event loops, and certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop
from peers import Contexts

from aiomongo_tls.net.identity import Identity, load_identity


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Callable[[], Any]]:
    """Every sweep runs on asyncio's loop and on uvloop's, whose turns are not the same."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    return Contexts()


@pytest.fixture(scope="session")
def identity(contexts: Contexts) -> Identity:
    """What a client presents itself with, read once."""
    return load_identity(contexts.options())
