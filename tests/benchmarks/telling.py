"""What a worker tells the harness: lines of JSON on its standard output, for the bar is not drawn where is measured.

`{"steps": n}` first, `{"step": "..."}` for each of them, `{"row": {...}}` for each result,
`{"note": "..."}` for what a reader should know.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def _tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def steps(count: int) -> None:
    """How many steps there will be."""
    _tell(steps=count)


def step(title: str) -> None:
    """One of them is done."""
    _tell(step=title)


def row(**values: Any) -> None:
    """A result."""
    _tell(row=values)


def note(text: str) -> None:
    """Something to be printed."""
    _tell(note=text)
