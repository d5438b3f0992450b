"""The type of the documents that a collection hands out, and short names for the shapes of arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # Type checkers know PEP 696 defaults from here; at run time Python has them from 3.13.
    from typing_extensions import TypeVar

    DocumentType = TypeVar("DocumentType", bound=Mapping[str, Any], default=dict[str, Any])
    OtherDocumentType = TypeVar("OtherDocumentType", bound=Mapping[str, Any], default=dict[str, Any])
else:
    from typing import TypeVar

    DocumentType = TypeVar("DocumentType", bound=Mapping[str, Any])
    OtherDocumentType = TypeVar("OtherDocumentType", bound=Mapping[str, Any])

Document: TypeAlias = dict[str, Any]
"""A command document, or a document of the server's own making."""

Filter: TypeAlias = Mapping[str, Any]
Pipeline: TypeAlias = Sequence[Mapping[str, Any]]
