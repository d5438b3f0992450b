"""What is told about this machine."""

from __future__ import annotations

import platform
import sys

import pytest

from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.net import environment


def test_the_facts_are_those_of_this_interpreter() -> None:
    """Enough for a client document."""
    document = client_document(environment.client_environment())
    assert document["os"]["type"] == platform.system()
    assert document["platform"].startswith(f"{platform.python_implementation()} {sys.version_info.major}.")


def test_a_machine_without_os_release_has_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of its operating system."""

    def missing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    assert environment._distribution() == platform.system()
