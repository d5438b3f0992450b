"""The documents that are read and written: those of MongoDB's benchmarking specification, or others of their shape.

They are looked for where the official test data is (AIOMONGO_TLS_SPECIFICATIONS, else `../shared/specifications` beside
the checkout) and are no part of the project. Without them, documents of the same size and shape are made.
"""

from __future__ import annotations

import json
import os
import random
import string
from functools import cache
from pathlib import Path
from typing import Any

VARIABLE = "AIOMONGO_TLS_SPECIFICATIONS"
BESIDE = Path(__file__).parents[2].parent / "shared" / "specifications"
FOLDER = Path(os.environ.get(VARIABLE) or BESIDE) / "benchmarking" / "data" / "single_and_multi_document"

MANY = 10_000
"""Documents in the tasks with many small ones."""

FEW = 10
"""Documents in the tasks with several large ones."""


def source() -> str:
    """Where the documents are from, for the report."""
    return "specification" if FOLDER.is_dir() else "generated"


@cache
def small() -> dict[str, Any]:
    """About 250 bytes."""
    return _load("small_doc.json") or _words(7) | {_word(_rng("keys")): n * 9_999_991 for n in range(6)}


@cache
def tweet() -> dict[str, Any]:
    """About 1600 bytes, nested."""
    return _load("tweet.json") or {"text": _word(_rng("text"), 140), "user": _words(30, "user"), **_words(28, "tweet")}


@cache
def large() -> dict[str, Any]:
    """About 2.5 million bytes."""
    return _load("large_doc.json") or _words(90_000, "large", 12)


def _load(name: str) -> dict[str, Any] | None:
    path = FOLDER / name
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _rng(seed: str) -> random.Random:
    return random.Random(seed)


def _word(rng: random.Random, length: int = 8) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=length))


def _words(count: int, seed: str = "words", length: int = 8) -> dict[str, Any]:
    rng = _rng(seed)
    return {_word(rng, length): _word(rng, length) for _ in range(count)}
