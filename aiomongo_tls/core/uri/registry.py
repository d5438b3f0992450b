"""Every option, one row each: the parser, the keywords, `ClientOptions` and the README's table follow these rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.uri.data_rows import CODEC, PYMONGO, READS_AND_WRITES, WIRE
from aiomongo_tls.core.uri.security_rows import AUTH, TLS
from aiomongo_tls.core.uri.server_rows import POOL, SERVERS, TIMEOUTS

if TYPE_CHECKING:
    from aiomongo_tls.core.uri.option import Former, Option

OPTIONS: Final[Mapping[str, Option]] = {
    option.name: option
    for option in (*TLS, *AUTH, *TIMEOUTS, *POOL, *SERVERS, *READS_AND_WRITES, *WIRE, *CODEC, *PYMONGO)
}
"""The rows by their canonical names, in the order of the README's table."""


@dataclass(frozen=True, slots=True)
class Name:
    """One of the names of an option.

    Args:
        spelled: the name as it is documented.
        option: its row.
        former: set if the name is a former one.
    """

    spelled: str
    option: Option
    former: Former | None = None


def _names() -> Iterable[Name]:
    for option in OPTIONS.values():
        yield Name(option.name, option)
        yield from (Name(alias, option) for alias in option.aliases)
        yield from (Name(former.name, option, former) for former in option.formers)


_NAMES: Final = {name.spelled.lower(): name for name in _names()}


def find(name: str) -> Name | None:
    """The option of this name in any case, None if there is none."""
    return _NAMES.get(name.lower())


def similar(name: str) -> tuple[Option, ...]:
    """The options whose names are most like an unknown one, the likeliest first."""
    plain = {key.replace("_", ""): found.option for key, found in _NAMES.items() if found.former is None}
    close = get_close_matches(name.lower().replace("_", "").replace("-", ""), plain, n=3, cutoff=0.7)
    return tuple(dict.fromkeys(plain[key] for key in close))


def suggest(name: str) -> str:
    """A question with the names that are most like an unknown one, to end a sentence; empty if none is."""
    names = [option.name for option in similar(name)]
    return f"; did you mean {' or '.join(names)}?" if names else ""


def options_table() -> str:
    """The table of all options in Markdown, for the README."""
    return "".join(
        f"| {' | '.join(cells)} |\n"
        for cells in (
            ("Option", "Value", "Default", "Meaning", "Here"),
            ("---",) * 5,
            *(
                (
                    _name_cell(option),
                    option.kind.expected,
                    _default_cell(option.default),
                    _meaning_cell(option),
                    option.support,
                )
                for option in OPTIONS.values()
            ),
        )
    )


def _name_cell(option: Option) -> str:
    aliases = "".join(f", `{alias}`" for alias in option.aliases)
    return f"`{option.name}`{aliases}" + (" (keyword only)" if option.keyword_only else "")


def _default_cell(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default in (None, []) else default.__name__ if isinstance(default, type) else str(default)


def _meaning_cell(option: Option) -> str:
    cell = option.doc
    if option.excludes:
        cell += f" Not beside {', '.join(f'`{name}`' for name in option.excludes)}."
    if option.formers:
        cell += f" Formerly {', '.join(f'`{former.name}`' for former in option.formers)} (warns)."
    return cell
