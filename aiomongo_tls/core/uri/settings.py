"""Options as they were given, by a URI or by keywords, each beside its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.uri.kinds import UNUSABLE
from aiomongo_tls.core.uri.option import Option, Repeat
from aiomongo_tls.core.uri.registry import OPTIONS, Name
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.uri.notices import Notices


@dataclass(frozen=True, slots=True, repr=False)
class Setting:
    """One option as it was given.

    Args:
        name: the name that was used.
        value: what the option's kind made of the value.
    """

    name: Name
    value: Any

    @property
    def option(self) -> Option:
        """The option's row."""
        return self.name.option

    def __repr__(self) -> str:
        return f"Setting({self.name.spelled}={self.option.shown(self.value)})"


@dataclass(slots=True)
class Settings:
    """The options of one source, or of several merged.

    Args:
        by_name: the options by canonical name.
        damaged: canonical names of strict options whose value in a URI was not usable as a whole.
    """

    by_name: dict[str, Setting] = field(default_factory=dict[str, Setting])
    damaged: set[str] = field(default_factory=set[str])

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def value(self, name: str, default: Any = None) -> Any:
        """The value of an option, or the default where it was not given."""
        setting = self.by_name.get(name)
        return default if setting is None else setting.value

    def values(self) -> Mapping[str, Any]:
        """The values by canonical names."""
        return {name: setting.value for name, setting in self.by_name.items()}

    def settled(self) -> Settings:
        """With PyMongo 3's `ssl_certfile` in its place: alone, the file holds the key as well."""
        lone = self.by_name.get("tlsCertificateFile")
        if lone is None or lone.name.former is None or "tlsCertificateKeyFile" in self:
            return self
        rest = {name: setting for name, setting in self.by_name.items() if setting is not lone}
        key_file = Setting(Name("tlsCertificateKeyFile", OPTIONS["tlsCertificateKeyFile"]), lone.value)
        return Settings({**rest, key_file.option.name: key_file}, self.damaged)


def fold(given: list[Setting], notices: Notices, *, where: str) -> Setting | None:
    """Make one setting of all that were given for one option, in their order.

    Args:
        given: the settings; unusable ones count as repetitions but have no value.
        notices: takes the warnings.
        where: the words for the source in messages.

    Returns:
        The setting that counts, None if none was usable.

    Raises:
        ConfigurationError: an option that must not be repeated was, or `tls` and `ssl` disagree.
    """
    option = given[0].option
    current = [setting for setting in given if setting.name.former is None]
    for setting in given:
        if setting.name.former is not None:
            _warn_of_former(setting.name, notices, ignored=bool(current))
    counting = current or given
    if option.repeat is Repeat.ERROR and len(counting) > 1:
        raise ConfigurationError(f"{option.name} is given more than once in {where}; leave one")
    usable = [setting for setting in counting if setting.value is not UNUSABLE]
    if not usable:
        return None
    if option.repeat is Repeat.LIST:
        return Setting(usable[0].name, [setting.value for setting in usable])
    if option.repeat is Repeat.AGREE:
        if any(setting.value != usable[0].value for setting in usable):
            raise ConfigurationError(f"{' and '.join(_both_names(option))} disagree in {where}; leave one")
    elif len(counting) > 1:
        notices.add(f"{option.name} is given more than once in {where}; the last one counts")
    return usable[-1]


def _both_names(option: Option) -> tuple[str, ...]:
    return (option.name, *option.aliases)


def _warn_of_former(name: Name, notices: Notices, *, ignored: bool) -> None:
    if name.former is None:
        return
    if ignored:
        notices.add(f"{name.spelled} is a former name of {name.option.name} and ignored beside it", DeprecationWarning)
    else:
        notices.add(
            f"{name.spelled} is a former name; use {name.former.advice or name.option.name}", DeprecationWarning
        )
