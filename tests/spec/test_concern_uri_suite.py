"""The read and write concerns that a URI asks for, as a client would use them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import ConfigurationError

SUITES = ["read-write-concern/tests/connection-string"]
PARAMETERS = {"w": "w", "wtimeoutMS": "wtimeout", "journal": "j"}


def test_concerns_of_a_uri(case: dict[str, Any]) -> None:
    """A client is refused, or gets the concerns that the case lists.

    Run by `resolve()`: these cases call a bad value an error where uri-options wants a warning from the parser.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if not case["valid"]:
            with pytest.raises(ConfigurationError):
                resolve(case["uri"], {})
            return
        options = resolve(case["uri"], {})
    assert bool(caught) == case["warning"]
    if "readConcern" in case:
        assert options.read_concern == ReadConcern(**case["readConcern"])
    if "writeConcern" in case:
        expected = {PARAMETERS[name]: value for name, value in case["writeConcern"].items()}
        assert options.write_concern == WriteConcern(**expected)
