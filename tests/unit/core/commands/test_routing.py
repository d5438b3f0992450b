"""`$readPreference`."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.routing import output_preference, read_preference_field
from aiomongo_tls.core.options.read_preference import Nearest, ReadPreference
from aiomongo_tls.core.server_type import ServerType

PRIMARY, SECONDARY = ReadPreference.PRIMARY, ReadPreference.SECONDARY
TAGGED = Nearest(tag_sets=[{"dc": "x"}], max_staleness=120)
MEMBERS = [ServerType.RS_PRIMARY, ServerType.RS_SECONDARY, ServerType.RS_OTHER]


@pytest.mark.parametrize("is_single", [True, False])
def test_a_standalone_server_never_gets_one(is_single: bool) -> None:
    """Whatever was asked for."""
    for preference in (None, PRIMARY, SECONDARY, TAGGED):
        assert read_preference_field(preference, ServerType.STANDALONE, is_single=is_single) is None


@pytest.mark.parametrize("server_type", list(ServerType))
def test_a_write_never_has_one(server_type: ServerType) -> None:
    """It goes to the primary anyway."""
    assert read_preference_field(None, server_type, is_single=True) is None


@pytest.mark.parametrize("server_type", [*MEMBERS, ServerType.MONGOS, ServerType.LOAD_BALANCER])
@pytest.mark.parametrize("is_single", [True, False])
def test_every_mode_but_primary_is_sent(server_type: ServerType, is_single: bool) -> None:
    """With its tags and staleness."""
    assert read_preference_field(SECONDARY, server_type, is_single=is_single) == {"mode": "secondary"}
    assert read_preference_field(TAGGED, server_type, is_single=is_single) == {
        "mode": "nearest",
        "tags": [{"dc": "x"}],
        "maxStalenessSeconds": 120,
    }


@pytest.mark.parametrize("server_type", MEMBERS)
def test_a_member_that_we_talk_to_directly_answers_whatever_it_is(server_type: ServerType) -> None:
    """Single topology: primary becomes primaryPreferred; as a member of a known set, nothing is sent."""
    assert read_preference_field(PRIMARY, server_type, is_single=True) == {"mode": "primaryPreferred"}
    assert read_preference_field(PRIMARY, server_type, is_single=False) is None


@pytest.mark.parametrize("server_type", [ServerType.MONGOS, ServerType.LOAD_BALANCER])
def test_a_router_knows_primary_by_itself(server_type: ServerType) -> None:
    """Nothing is sent, directly connected or not."""
    assert read_preference_field(PRIMARY, server_type, is_single=True) is None


@pytest.mark.parametrize(
    ("common", "expected"), [(None, SECONDARY), (8, PRIMARY), (12, PRIMARY), (13, SECONDARY), (25, SECONDARY)]
)
def test_output_may_be_written_by_secondaries_since_mongodb_5(common: int | None, expected: ReadPreference) -> None:
    """If every server that is there is one of those."""
    assert output_preference(SECONDARY, common) is expected
    assert output_preference(PRIMARY, common) is PRIMARY
