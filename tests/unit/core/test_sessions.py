"""The pool of server sessions."""

from __future__ import annotations

from itertools import count

import bson
import pytest

from aiomongo_tls.core.sessions import ImplicitSession, ServerSession, ServerSessionPool


@pytest.fixture
def pool() -> ServerSessionPool:
    numbers = count(1)
    return ServerSessionPool(lambda: next(numbers).to_bytes(16, "big"))


def number(session: ServerSession) -> int:
    return int.from_bytes(session.id["id"], "big")


def test_an_id_is_a_uuid_on_the_wire(pool: ServerSessionPool) -> None:
    """Binary of subtype 4, 16 bytes."""
    session = pool.take(0.0, 30)
    assert bson.encode(session.id) == b"\x1e\0\0\0\x05id\0\x10\0\0\0\x04" + b"\0" * 15 + b"\x01" + b"\0"


def test_last_in_first_out(pool: ServerSessionPool) -> None:
    """The one used last is the furthest from its timeout."""
    first, second = pool.take(0.0, 30), pool.take(0.0, 30)
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take(1.0, 30) is second
    assert pool.take(1.0, 30) is first
    assert number(pool.take(1.0, 30)) == 3


def test_less_than_a_minute_is_too_little(pool: ServerSessionPool) -> None:
    """An id that could time out before its command arrives is thrown away, and all below it with it."""
    older, old = pool.take(0.0, 30), pool.take(10.0, 30)
    pool.give_back(older)
    pool.give_back(old)
    assert pool.take(10.0 + 29 * 60 - 1, 30) is old
    pool.give_back(old)
    fresh = pool.take(10.0 + 29 * 60 - 1 + 29 * 60, 30)
    assert number(fresh) == 3
    assert len(pool) == 0


def test_a_dirty_session_never_comes_back(pool: ServerSessionPool) -> None:
    """A command under it may still be running."""
    session = pool.take(0.0, 30)
    session.is_dirty = True
    session.go_to(pool)
    assert len(pool) == 0
    assert "dirty" in repr(session)


def test_all_ids_are_ended_in_portions(pool: ServerSessionPool) -> None:
    """10 000 in one endSessions, and the pool is empty."""
    for session in [pool.take(0.0, 30) for _ in range(10_001)]:
        pool.give_back(session)
    portions = list(pool.end_all())
    assert [len(portion) for portion in portions] == [10_000, 1]
    assert len(pool) == 0
    assert list(pool.end_all()) == []


def test_an_implicit_session_takes_nothing_before_it_is_needed(pool: ServerSessionPool) -> None:
    """Operations that wait for a connection hold no session; one id serves all commands of one session."""
    session = ImplicitSession(pool)
    session.end()
    assert len(pool) == 0
    first = session.lsid(0.0, 30)
    assert session.lsid(5.0, 30) is first
    session.end()
    session.end()
    assert len(pool) == 1
    # Handed out until a minute before its half hour is over: 1740 s after 5.0, not after 0.0.
    assert pool.take(1742.0, 30).id is first, "its last use counts, not its first"


def test_a_session_whose_reply_was_not_read_does_not_come_back(pool: ServerSessionPool) -> None:
    """Its command may still be running."""
    session = ImplicitSession(pool)
    session.mark_dirty()
    session.lsid(0.0, 30)
    session.mark_dirty()
    session.end()
    assert len(pool) == 0


def test_transaction_numbers_only_grow(pool: ServerSessionPool) -> None:
    """Per session, and through the pool: the server remembers the last one. On the wire they are 64 bits long."""
    numbers = []
    for _ in range(3):
        session = ImplicitSession(pool)
        session.lsid(0.0, 30)
        numbers += [session.next_transaction_number(), session.next_transaction_number()]
        session.end()
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert bson.encode({"n": numbers[0]})[4:5] == b"\x12"


def test_behind_a_load_balancer_no_session_grows_old(pool: ServerSessionPool) -> None:
    """There is no timeout to be afraid of."""
    session = pool.take(0.0, None)
    pool.give_back(session)
    assert pool.take(1e9, None) is session


@pytest.mark.parametrize(("came", "back"), [((True, True), 1), ((True, False), 0), ((False, True), 0)])
def test_a_session_waits_for_every_late_reply(pool: ServerSessionPool, came: tuple[bool, bool], back: int) -> None:
    """It is given back after the last of them, unless one never came."""
    session = ImplicitSession(pool)
    session.lsid(0.0, 30)
    taken = session.taken
    assert taken is not None
    taken.expect_late_reply()
    taken.expect_late_reply()
    taken.late_reply(came=came[0])
    session.end()
    assert len(pool) == 0
    taken.late_reply(came=came[1])
    assert len(pool) == back


def test_a_late_reply_before_the_end_of_its_operation(pool: ServerSessionPool) -> None:
    """Its user still has the session, and gives it back itself, once."""
    session = ImplicitSession(pool)
    session.lsid(0.0, 30)
    assert session.taken is not None
    session.taken.expect_late_reply()
    session.taken.late_reply(came=True)
    assert len(pool) == 0
    session.end()
    assert len(pool) == 1
