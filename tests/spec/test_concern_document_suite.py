"""Read and write concerns as the documents that commands carry."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.errors import ConfigurationError

SUITES = ["read-write-concern/tests/document"]
PARAMETERS = {"w": "w", "wtimeoutMS": "wtimeout", "journal": "j"}


def build(case: dict[str, Any]) -> ReadConcern | WriteConcern:
    if "readConcern" in case:
        return ReadConcern(**case["readConcern"])
    return WriteConcern(**{PARAMETERS[name]: value for name, value in case["writeConcern"].items()})


def test_concern_document(case: dict[str, Any]) -> None:
    """A concern is refused, or has the document and the properties that the case lists."""
    if not case["valid"]:
        with pytest.raises(ConfigurationError):
            build(case)
        return
    concern = build(case)
    assert concern.document == case.get("readConcernDocument", case.get("writeConcernDocument"))
    assert concern.is_server_default == case["isServerDefault"]
    if isinstance(concern, WriteConcern):
        assert concern.acknowledged == case["isAcknowledged"]
