"""What an operation costs the interpreter, counted and not timed: bytecode instructions and calls, by source file.

Counts are the same on a busy machine as on a quiet one. They know nothing of what C code does once it is called, but
each call of it is counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from types import CodeType, FrameType
from typing import Any

Operation = Callable[[], Awaitable[object]]

TOOL = 4
"""Which of the interpreter's tools (`sys.monitoring`) counts; the numbers below are for well-known ones."""

LAYERS = (
    ("collection", "aiomongo_tls/client/collection"),
    ("executor", "aiomongo_tls/client/"),
    ("commands", "aiomongo_tls/core/commands/"),
    ("sessions, retries", "aiomongo_tls/core/sessions", "aiomongo_tls/core/retry"),
    ("topology", "aiomongo_tls/topology/", "aiomongo_tls/core/sdam/"),
    ("pool", "aiomongo_tls/pool/", "aiomongo_tls/core/pool/"),
    ("connection", "aiomongo_tls/net/connection"),
    ("wire", "aiomongo_tls/core/wire/"),
    ("transport", "aiomongo_tls/net/"),
    ("engine", "aiomongo_tls/tls/"),
    ("other of ours", "aiomongo_tls/"),
    ("bson", "/bson/"),
    ("ssl", "/ssl.py"),
    ("asyncio", "/asyncio/", "/selectors.py"),
)
"""Names of layers, and what the paths of their files contain; the first match counts."""


@dataclass(frozen=True)
class Effort:
    """What one operation took.

    Attributes:
        instructions: bytecode instructions by source file.
        calls: functions called, Python's and C's, by the source file they are called from or, Python's, are in.
    """

    instructions: Counter[str]
    calls: Counter[str]

    def by_layer(self) -> dict[str, tuple[int, int]]:
        """Instructions and calls of each layer that took part."""
        sums: dict[str, tuple[int, int]] = {name: (0, 0) for name, *_ in LAYERS} | {"the rest": (0, 0)}
        for file in self.instructions | self.calls:
            name = layer_of(file)
            instructions, calls = sums[name]
            sums[name] = instructions + self.instructions[file], calls + self.calls[file]
        return {name: counts for name, counts in sums.items() if any(counts)}


def layer_of(file: str) -> str:
    """Which layer a source file belongs to."""
    path = Path(file).as_posix()
    return next((name for name, *parts in LAYERS if any(part in path for part in parts)), "the rest")


async def effort(operation: Operation, *, repeats: int = 9) -> Effort:
    """Count one operation, after a few to warm up: the median of several, which leaves out what timers do meanwhile.

    Args:
        operation: carries it out; called again and again.
        repeats: how many are counted.
    """
    for _ in range(5):
        await operation()
    instructions = [await _instructions(operation) for _ in range(repeats)]
    calls = [await _calls(operation) for _ in range(repeats)]
    return Effort(_median(instructions), _median(calls))


def _median(counters: list[Counter[str]]) -> Counter[str]:
    return sorted(counters, key=lambda counter: counter.total())[len(counters) // 2]


async def _instructions(operation: Operation) -> Counter[str]:
    count = _traced if sys.version_info < (3, 12) else _monitored
    return _by_file(await count(operation))


async def _traced(operation: Operation) -> Counter[CodeType]:
    by_code: Counter[CodeType] = Counter()

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            by_code[frame.f_code] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await operation()
    finally:
        sys.settrace(before)
    return by_code


async def _monitored(operation: Operation) -> Counter[CodeType]:
    # `settrace` misses the first call of each function from Python 3.13 on. This sees all threads.
    by_code: Counter[CodeType] = Counter()
    monitoring, me = sys.monitoring, get_ident()

    def count(code: CodeType, offset: int) -> None:
        if get_ident() == me:
            by_code[code] += 1

    monitoring.use_tool_id(TOOL, __name__)
    monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, count)
    monitoring.set_events(TOOL, monitoring.events.INSTRUCTION)
    try:
        await operation()
    finally:
        monitoring.set_events(TOOL, 0)
        monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(TOOL)
    return by_code


async def _calls(operation: Operation) -> Counter[str]:
    by_code: Counter[CodeType] = Counter()

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        if event in ("call", "c_call"):
            by_code[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        await operation()
    finally:
        sys.setprofile(before)
    return _by_file(by_code)


def _by_file(by_code: Counter[CodeType]) -> Counter[str]:
    by_file: Counter[str] = Counter()
    for code, count in by_code.items():
        if code.co_filename != __file__:
            by_file[code.co_filename] += count
    return by_file
