"""Warnings, collected while options are read and given out at the end, pointing at the caller's line."""

from __future__ import annotations

import inspect
import warnings

_PACKAGE = __name__.partition(".")[0]


class Notices:
    """The warnings of one parse.

    They are collected because Python shows a DeprecationWarning only if it points at the user's own module, and how
    many of our frames lie between is known at the end only.
    """

    def __init__(self) -> None:
        self._notices: list[tuple[str, type[Warning]]] = []

    def add(self, text: str, category: type[Warning] = UserWarning) -> None:
        """Remember a warning.

        Args:
            text: what to warn of; never a secret.
            category: the class of the warning.
        """
        self._notices.append((text, category))

    def emit(self) -> None:
        """Give out everything that was collected with `warnings.warn`."""
        level = _frames_of_ours()
        for text, category in self._notices:
            warnings.warn(text, category, stacklevel=level)


def _frames_of_ours() -> int:
    # This function's own frame is counted, which is the 1 that `stacklevel` begins with.
    level = 0
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
        level += 1
    return level
