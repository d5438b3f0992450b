"""`key=value` pairs (connection string specification, "Connection Options"): the query of a URI, or a TXT record."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.uri.kinds import UNUSABLE
from aiomongo_tls.core.uri.percent import decode_value
from aiomongo_tls.core.uri.registry import Name, find, similar, suggest
from aiomongo_tls.core.uri.settings import Setting, Settings, fold
from aiomongo_tls.errors import ConfigurationError, InvalidURI

if TYPE_CHECKING:
    from aiomongo_tls.core.uri.notices import Notices

# What can be shown of a URI: short, and nothing that separates one part of it from the next.
_HARMLESS = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class QueryReader:
    """Reads one query: unknown keys and unusable values are warned of and ignored.

    Args:
        notices: takes the warnings.
        where: where the pairs stand, for messages.
        only: names of the options that may be there, and no others; None for all.
    """

    def __init__(self, notices: Notices, *, where: str = "the URI", only: Collection[str] | None = None) -> None:
        self._notices = notices
        self._where = where
        self._only = only
        self._given: dict[str, list[Setting]] = {}
        self._damaged: set[str] = set()
        # Cleared once what follows may be the rest of a secret that was not percent-encoded.
        self._quotable = True

    def read(self, query: str) -> Settings:
        """Read a query.

        Args:
            query: everything behind the question mark, or all of the record.

        Raises:
            InvalidURI: a pair has no '=', or the pairs are separated by both '&' and ';'.
            ConfigurationError: a value that the specifications call an error; an option repeated that must not be, or
                that has no place there.
        """
        # In `user:1?x=y@host` the password was not encoded and everything before '@' is a piece of it.
        doubtful_until = query.rfind("@")
        position = 0
        for number, pair in enumerate(self._split(query), 1):
            key, equals, text = pair.partition("=")
            if pair and not (key and equals):
                raise InvalidURI(f"option {number} of {self._where} is not key=value")
            if pair:
                self._read_pair(key, text, number, quotable=self._quotable and position > doubtful_until)
            position += len(pair) + 1
        folded = {name: fold(given, self._notices, where=self._where) for name, given in self._given.items()}
        return Settings({name: setting for name, setting in folded.items() if setting is not None}, self._damaged)

    def _read_pair(self, key: str, text: str, number: int, *, quotable: bool) -> None:
        key = decode_value(key) or ""
        name = find(key)
        if self._only is not None and (name is None or name.option.name not in self._only):
            raise ConfigurationError(
                f"option {number} of {self._where} is none of {', '.join(self._only)}, the only ones that may be there"
            )
        if name is None:
            shown = f"option {key}" if quotable and _HARMLESS.fullmatch(key) else f"option {number}"
            hint = suggest(key) if quotable else ""
            self._notices.add(f"{shown} of {self._where} is unknown and ignored{hint}")
        elif name.option.keyword_only:
            self._notices.add(f"{name.spelled} cannot be given in a URI, only as a keyword; it is ignored")
        else:
            value = self._read_value(name, decode_value(text), quotable=quotable)
            self._given.setdefault(name.option.name, []).append(Setting(name, value))
        # A raw '&' in a password makes another option of its second half.
        if any(option.secret for option in ([name.option] if name else similar(key))):
            self._quotable = False

    def _read_value(self, name: Name, value_text: str | None, *, quotable: bool) -> Any:
        option = name.option
        kind = (name.former and name.former.kind) or option.kind

        def remark(text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
            self._notices.add(f"{name.spelled} in {self._where} {text}", category)
            if damaged and option.strict:
                self._damaged.add(option.name)

        value = UNUSABLE if value_text is None else kind.read(value_text, remark)
        if value is UNUSABLE:
            harmless = _HARMLESS.fullmatch(value_text or "") if quotable and not option.secret else None
            found = "nothing" if value_text == "" else f"'{value_text}'" if harmless else "something else"
            self._quotable = self._quotable and (harmless is not None or value_text == "")
            remark(f"is ignored: expected {kind.expected}, found {found}", damaged=True)
        return value

    def _split(self, query: str) -> list[str]:
        """Split at '&', or at ';' as old strings have it; both together would leave options inside of a value."""
        if "&" in query and ";" in query:
            raise InvalidURI(
                f"the options of {self._where} are separated by both '&' and ';'; use '&', and write %3B for a ';' "
                "in a value"
            )
        return query.split(";" if ";" in query else "&")
