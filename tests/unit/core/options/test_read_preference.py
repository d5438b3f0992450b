"""Read preferences."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from aiomongo_tls.core.options.read_preference import (
    MODES,
    Nearest,
    Primary,
    PrimaryPreferred,
    ReadPreference,
    Secondary,
    SecondaryPreferred,
)
from aiomongo_tls.errors import ConfigurationError


@pytest.mark.parametrize(
    ("plain", "cls", "mode", "name"),
    [
        (ReadPreference.PRIMARY, Primary, 0, "primary"),
        (ReadPreference.PRIMARY_PREFERRED, PrimaryPreferred, 1, "primaryPreferred"),
        (ReadPreference.SECONDARY, Secondary, 2, "secondary"),
        (ReadPreference.SECONDARY_PREFERRED, SecondaryPreferred, 3, "secondaryPreferred"),
        (ReadPreference.NEAREST, Nearest, 4, "nearest"),
    ],
)
def test_the_five_modes(plain: ReadPreference, cls: type[ReadPreference], mode: int, name: str) -> None:
    """Each mode has PyMongo's class, number and names, and is a ReadPreference."""
    assert plain == cls()
    assert isinstance(plain, ReadPreference)
    assert (plain.mode, plain.mongos_mode, plain.name, plain.document) == (mode, name, cls.__name__, {"mode": name})
    assert MODES[name] is cls


def test_document_holds_what_was_asked_for() -> None:
    """Tags, staleness and hedge stand in the document only where they were given."""
    preference = Secondary(tag_sets=[{"dc": "ny"}, {}], max_staleness=120)
    assert preference.document == {"mode": "secondary", "tags": [{"dc": "ny"}, {}], "maxStalenessSeconds": 120}
    assert preference.tag_sets == [{"dc": "ny"}, {}]
    assert preference.max_staleness == 120
    assert Nearest(tag_sets=[{}]).document == {"mode": "nearest"}
    assert Nearest().tag_sets == [{}]


def test_hedge_is_deprecated_but_sent() -> None:
    """A hedge document warns and is sent."""
    with pytest.warns(DeprecationWarning, match="hedge"):
        preference = Nearest(hedge={"enabled": True})
    assert preference.document == {"mode": "nearest", "hedge": {"enabled": True}}
    assert preference.hedge == {"enabled": True}


def test_read_preference_itself_is_no_mode() -> None:
    """The base class says which class to use."""
    with pytest.raises(TypeError, match="Nearest"):
        ReadPreference()


def test_primary_takes_no_arguments() -> None:
    """Tags among one member make no sense."""
    with pytest.raises(TypeError):
        Primary(tag_sets=[{"dc": "ny"}])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"tag_sets": []}, ConfigurationError),
        ({"max_staleness": 0}, ConfigurationError),
        ({"max_staleness": -2}, ConfigurationError),
        ({"tag_sets": {"dc": "ny"}}, TypeError),
        ({"tag_sets": ["dc:ny"]}, TypeError),
        ({"max_staleness": 1.5}, TypeError),
        ({"max_staleness": True}, TypeError),
        ({"hedge": True}, TypeError),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    """A wrong argument is refused by name."""
    with pytest.raises(error, match=next(iter(arguments)).replace("tag_sets", "tag.set")):
        Nearest(**arguments)


def test_read_preferences_are_values() -> None:
    """They do not change with what they were made of, compare by content, and survive copying and pickling."""
    tags = {"dc": "ny"}
    preference = Secondary([tags], 90)
    tags["dc"] = "la"
    preference.tag_sets[0]["dc"] = "la"
    preference.document["tags"][0]["dc"] = "la"
    assert preference.document["tags"] == [{"dc": "ny"}]
    for twin in (copy.deepcopy(preference), pickle.loads(pickle.dumps(preference))):
        assert twin == preference
        assert hash(twin) == hash(preference)
    assert Secondary() != SecondaryPreferred()
    assert Secondary() != "secondary"


def test_reprs() -> None:
    """A repr is the call that makes the preference."""
    assert repr(ReadPreference.PRIMARY) == "Primary()"
    assert repr(Nearest([{"a": "b"}])) == "Nearest(tag_sets=[{'a': 'b'}], max_staleness=-1, hedge=None)"
