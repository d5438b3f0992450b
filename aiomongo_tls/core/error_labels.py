"""MongoDB's error labels that something follows from here: what may be tried again, and how soon.

Servers put them on their errors; where no server answered, the client does so itself.
"""

from __future__ import annotations

from typing import Final

SYSTEM_OVERLOADED: Final = "SystemOverloadedError"
"""The server has too much to do; nothing is wrong with it. Try again only after a pause."""

RETRYABLE: Final = "RetryableError"
"""Nothing was done, so that anything may be tried again."""

RETRYABLE_WRITE: Final = "RetryableWriteError"
"""A retryable write may be sent again."""

NO_WRITES_PERFORMED: Final = "NoWritesPerformed"
"""Nothing was written."""

OVERLOAD: Final = (SYSTEM_OVERLOADED, RETRYABLE)
"""What the client puts on the error of an attempt to open a connection that may have failed because of overload."""
