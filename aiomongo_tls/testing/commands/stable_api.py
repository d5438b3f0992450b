"""The Stable API: what a client may ask for that has said `apiStrict`. Specification: versioned-api.

The commands of version 1 and what they may not be asked for stand in MongoDB's manual, "Stable API Commands".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.values import is_array, is_document, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomongo_tls.testing.data.values import Document

VERSION = "1"
"""The only version there is."""

_WITHOUT_VERSION = 4886600

_COMMANDS = frozenset(
    {
        *("hello", "ping", "authenticate", "saslStart", "saslContinue", "endSessions", "refreshSessions"),
        *("find", "getMore", "killCursors", "count", "aggregate", "explain", "abortTransaction", "commitTransaction"),
        *("insert", "update", "delete", "findAndModify", "bulkWrite", "create", "drop", "dropDatabase", "collMod"),
        *("createIndexes", "dropIndexes", "listIndexes", "listCollections", "listDatabases"),
    }
)

_NOT_OF: Mapping[str, frozenset[str]] = {
    "find": frozenset(
        {*("awaitData", "max", "min", "noCursorTimeout", "oplogReplay", "returnKey", "showRecordId", "tailable")}
    ),
    "create": frozenset({"autoIndexId", "capped", "indexOptionDefaults", "max", "size", "storageEngine"}),
    "aggregate": frozenset({"explain"}),
}
_NOT_OF_INDEXES = frozenset({"background", "bucketSize", "sparse", "storageEngine"})
_STAGES = frozenset(
    {*("$currentOp", "$indexStats", "$listLocalSessions", "$listSessions", "$planCacheStats", "$search")}
)


def check_api(name: str, document: Document) -> None:
    """Refuse what is not in the version of the API that a command names, if it is strict about it.

    Args:
        name: the command's name.
        document: the command.

    Raises:
        CommandError: 322: there is no such version; 323: it is not in it; 4886600: no version was named.
    """
    is_strict = truthy(document.get("apiStrict"))
    if "apiVersion" not in document:
        if is_strict or truthy(document.get("apiDeprecationErrors")):
            text = "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion"
            raise CommandError(_WITHOUT_VERSION, text)
        return
    if document["apiVersion"] != VERSION:
        raise CommandError(ErrorCode.APIVersionError, f"API version must be '{VERSION}'")
    if not is_strict:
        return
    if name not in _COMMANDS:
        raise _refusal(f"the command {name}")
    for field in _NOT_OF.get(name, frozenset()) & document.keys():
        raise _refusal(f"the field {name}.{field}")
    for stage in _documents(document.get("pipeline")):
        for operator in _STAGES & stage.keys():
            raise _refusal(f"the stage {operator}")
    for index in _documents(document.get("indexes")):
        for field in _NOT_OF_INDEXES & index.keys():
            raise _refusal(f"the option {field} of an index")


def _documents(value: Any) -> list[Document]:
    return [each for each in value if is_document(each)] if is_array(value) else []


def _refusal(what: str) -> CommandError:
    return CommandError(
        ErrorCode.APIStrictError, f"Provided apiStrict:true, but {what} is not in API Version {VERSION}."
    )
