"""A median and how far the rounds lie apart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What many rounds gave.

    Attributes:
        median: the middle.
        low: a quarter lies below.
        high: a quarter lies above.
        rounds: how many there were.
    """

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float], scale: float = 1.0) -> Spread:
        """Of the values, times `scale`."""
        all_of_them = sorted(value * scale for value in values)
        if len(all_of_them) == 1:
            return cls(all_of_them[0], all_of_them[0], all_of_them[0], 1)
        low, median, high = statistics.quantiles(all_of_them, n=4, method="inclusive")
        return cls(median, low, high, len(all_of_them))

    @classmethod
    def of_ratios(cls, values: Iterable[float], others: Iterable[float]) -> Spread:
        """Of the ratios within each round."""
        return cls.of(value / other for value, other in zip(values, others, strict=True))
