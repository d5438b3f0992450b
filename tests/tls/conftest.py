"""Both event loops for what talks to more than the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop


def pytest_asyncio_loop_factories(config: object, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    """Tests of responders and of resumption run on asyncio's loop and on uvloop's."""
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": uvloop.new_event_loop} if item.path.stem in {"test_ocsp", "test_resumption"} else loops
