"""The books of a pool: who gets which connection, what is opened, what is closed."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aiomongo_tls.core.events.pool_events import ConnectionClosedReason
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.actions import Abandon, Close, Fail, Grant, Open
from aiomongo_tls.core.pool.slots import SPARED, Slots
from aiomongo_tls.core.pool.status import Counts, PoolState, PoolStatus
from aiomongo_tls.errors import InvalidOperation

IDLE = ConnectionClosedReason.IDLE
STALE = ConnectionClosedReason.STALE
ERROR = ConnectionClosedReason.ERROR
POOL_CLOSED = ConnectionClosedReason.POOL_CLOSED


def slots(**options: Any) -> Slots[str, str]:
    """The books of a pool that is ready."""
    books: Slots[str, str] = Slots(PoolOptions(**options))
    assert books.ready(0)
    return books


def with_connections(count: int, **options: Any) -> Slots[str, str]:
    """The same, with connections `c1`, `c2`, ... in use."""
    books = slots(**options)
    for number in range(1, count + 1):
        assert books.join(f"w{number}", 0) == [Open(number)]
        assert books.opened(number, f"c{number}", 0) == [Grant(f"w{number}", f"c{number}")]
    return books


# Out and in


def test_a_waiter_gets_a_connection_of_its_own() -> None:
    """With nothing there one connection is opened, and whoever asked for it gets it."""
    books = slots()
    assert books.join("A", 0) == [Open(1)]
    assert books.counts == Counts(opening=1, waiting=1)
    assert books.opened(1, "c1", 0) == [Grant("A", "c1")]
    assert books.counts == Counts(in_use=1)
    assert books.operation_count == 1


def test_a_connection_given_back_is_there_for_the_next() -> None:
    """The next one takes it at once, without waiting."""
    books = with_connections(1)
    assert books.take(0) is None
    assert not books.give_back("c1", 0)
    assert books.take(0) == "c1"
    assert books.take(0) is None


def test_connections_go_out_last_in_first_out() -> None:
    """What is not needed stays at the bottom and grows old."""
    books = with_connections(3)
    for connection in ("c2", "c1", "c3"):
        books.give_back(connection, 0)
    assert [books.take(0), books.take(0), books.take(0)] == ["c3", "c1", "c2"]


def test_waiters_are_served_in_their_order() -> None:
    """First come, first served, whether the connection is new or given back."""
    books = slots(max_pool_size=1)
    books.join("A", 0)
    books.join("B", 0)
    books.join("C", 0)
    assert books.opened(1, "c1", 0) == [Grant("A", "c1")]
    assert books.give_back("c1", 0) == [Grant("B", "c1")]
    assert books.give_back("c1", 0) == [Grant("C", "c1")]


def test_max_pool_size_counts_from_the_decision_to_open() -> None:
    """A connection in the making takes its place."""
    books = slots(max_pool_size=2, max_connecting=10)
    assert books.join("A", 0) == [Open(1)]
    assert books.join("B", 0) == [Open(2)]
    assert books.join("C", 0) == []


def test_no_max_pool_size() -> None:
    """0 means no limit."""
    books = slots(max_pool_size=0, max_connecting=1000)
    for number in range(200):
        assert books.join(f"w{number}", 0) == [Open(number + 1)]


def test_max_connecting_limits_what_is_opened_at_once() -> None:
    """The third attempt begins when one of the first two has ended."""
    books = slots(max_connecting=2)
    assert books.join("A", 0) == [Open(1)]
    assert books.join("B", 0) == [Open(2)]
    assert books.join("C", 0) == []
    assert books.opened(2, "c2", 0) == [Grant("A", "c2"), Open(3)]


def test_one_attempt_for_each_waiter_is_enough() -> None:
    """A waiter who is served by a connection given back leaves its attempt to whoever comes."""
    books = with_connections(1)
    assert books.join("B", 0) == [Open(2)]
    assert books.give_back("c1", 0) == [Grant("B", "c1")]
    assert books.join("C", 0) == []
    assert books.opened(2, "c2", 0) == [Grant("C", "c2")]


def test_an_attempt_outlives_whoever_wanted_it() -> None:
    """The connection of a waiter who gave up is idle."""
    books = slots()
    books.join("A", 0)
    books.leave("A")
    assert books.counts == Counts(opening=1)
    assert books.opened(1, "c1", 0) == []
    assert books.take(0) == "c1"


def test_a_connection_that_cannot_be_kept_makes_room() -> None:
    """In its place a new one is opened for whoever waits."""
    books = with_connections(1, max_pool_size=1)
    assert books.join("B", 0) == []
    assert books.remove("c1", 0) == [Open(2)]


def test_nobody_overtakes_a_waiter() -> None:
    """An idle connection is not taken while somebody waits, which lasts until the next plan at most."""
    books = with_connections(1, max_idle_time=10)
    books.give_back("c1", 0)
    books._waiters["B"] = None
    assert books.take(1) is None
    assert books.plan(1) == [Grant("B", "c1")]


@pytest.mark.parametrize("connection", ["c1", "foreign"])
def test_what_is_not_in_use_cannot_be_given_back(connection: str) -> None:
    """Neither a connection of another pool nor one that was given back before; and the books stay as they are."""
    books = with_connections(1)
    books.give_back("c1", 0)
    before = books.counts
    with pytest.raises(InvalidOperation, match="given back before, or belongs to another pool"):
        books.give_back(connection, 0)
    with pytest.raises(InvalidOperation):
        books.park(connection, 0)
    with pytest.raises(InvalidOperation):
        books.remove(connection, 0)
    with pytest.raises(InvalidOperation):
        books.check_in_use(connection)
    assert books.counts == before


def test_the_old_are_closed() -> None:
    """Beyond max_idle_time a connection is not handed out any more; the plan closes it."""
    books = with_connections(2, max_idle_time=10)
    books.give_back("c1", 0)
    books.give_back("c2", 5)
    assert books.next_look == 10
    assert books.plan(9.9) == []
    assert books.plan(10) == [Close("c1", IDLE)]
    assert books.next_look == 15
    assert books.take(15) is None
    assert books.join("C", 15) == [Close("c2", IDLE), Open(3)]
    assert books.next_look is None


def test_an_idle_connection_that_is_lost_leaves_at_once() -> None:
    """One in use leaves when it is given back."""
    books = with_connections(2)
    books.give_back("c1", 0)
    assert books.lost("c1", 0) == []
    assert books.lost("c2", 0) is None
    assert books.counts == Counts(in_use=1)


# Failed attempts


def test_a_failed_attempt_ends_the_waiting_of_one() -> None:
    """The first in line; the others may be luckier with the next attempt."""
    books = slots(max_connecting=1)
    for name in "ABC":
        books.join(name, 0)
    books.failed(1)
    assert books.counts == Counts(waiting=3)
    assert books.after_failure(0, 0) == [Fail("A"), Open(2)]
    assert books.opened(2, "c2", 0) == [Grant("B", "c2"), Open(3)]


def test_a_failed_attempt_is_not_told_to_whom_another_one_serves() -> None:
    """Two attempts and one waiter, since another was served meanwhile: the second attempt is enough."""
    books = with_connections(1)
    assert books.join("B", 0) == [Open(2)]
    assert books.join("C", 0) == [Open(3)]
    assert books.give_back("c1", 0) == [Grant("B", "c1")]
    books.failed(2)
    assert books.after_failure(0, 0) == []
    assert books.opened(3, "c3", 0) == [Grant("C", "c3")]


# min_pool_size


def test_min_pool_size_is_filled_when_the_pool_is_ready() -> None:
    """Not before, and max_connecting at a time."""
    books: Slots[str, str] = Slots(PoolOptions(min_pool_size=4, max_connecting=2))
    assert books.plan(0) == []
    assert books.next_look is None
    assert books.ready(0)
    assert books.plan(0) == [Open(1), Open(2)]
    assert books.opened(2, "c2", 0) == [Open(3)]
    assert books.opened(1, "c1", 0) == [Open(4)]
    assert not books.is_short
    books.opened(3, "c3", 0)
    assert books.opened(4, "c4", 0) == []
    assert books.counts == Counts(idle=4)


def test_min_pool_size_is_not_filled_right_after_a_failure() -> None:
    """Until the time that was given has come; or until somebody's attempt succeeds."""
    books = slots(min_pool_size=2, max_connecting=1)
    assert books.plan(0) == [Open(1)]
    books.failed(1)
    assert books.after_failure(1, 5) == []
    assert books.next_look == 5
    assert books.plan(4.9) == []
    assert books.plan(5) == [Open(2)]
    assert books.next_look is None
    books.failed(2)
    books.after_failure(5, 10)
    assert books.join("A", 6) == [Open(3)]
    assert books.opened(3, "c3", 6) == [Grant("A", "c3"), Open(4)]


def test_a_lost_spare_connection_is_replaced() -> None:
    """min_pool_size holds although nobody asks for anything."""
    books = slots(min_pool_size=1)
    assert books.plan(0) == [Open(1)]
    books.opened(1, "c1", 0)
    assert books.lost("c1", 0) == [Open(2)]


# Parked


def test_a_parked_connection_is_nobodys_until_it_is_clean() -> None:
    """Then it is there for the next; it counts all the time."""
    books = with_connections(1)
    assert books.park("c1", 0) == []
    assert books.counts == Counts(parked=1)
    assert books.counts.total == 1
    assert books.operation_count == 0
    assert books.take(0) is None
    assert books.drained("c1", 1) == []
    assert books.take(1) == "c1"


def test_a_drained_connection_goes_to_who_waits() -> None:
    """As one that is given back."""
    books = with_connections(1, max_pool_size=1)
    books.park("c1", 0)
    assert books.join("A", 0.01) == []
    assert books.drained("c1", 0.02) == [Grant("A", "c1")]
    assert books.drained("c1", 0.02) == []


def test_a_late_reply_is_waited_for_only_so_long() -> None:
    """The plan closes what is parked for drain_timeout."""
    books = with_connections(2, drain_timeout=5)
    books.park("c1", 0)
    books.park("c2", 1)
    assert books.next_look == 5
    assert books.plan(4.9) == []
    assert books.plan(5) == [Close("c1", ERROR)]
    assert books.next_look == 6
    assert books.drained("c1", 5) == []


def test_a_parked_connection_makes_room_for_who_waits() -> None:
    """After a moment in which the late reply may still come; the oldest first, one for each who waits."""
    books = with_connections(2, max_pool_size=2)
    books.park("c2", 0)
    books.park("c1", 1)
    assert books.join("A", 1) == []
    assert books.next_look == SPARED
    assert books.look(1) == [Close("c2", ERROR), Open(3)]
    assert books.join("B", 1) == []
    assert books.next_look == 1 + SPARED
    assert books.look(1 + SPARED) == [Close("c1", ERROR), Open(4)]
    assert books.counts == Counts(opening=2, waiting=2)


def test_a_parked_connection_is_left_alone_while_there_is_room() -> None:
    """A new one is opened beside it; and nothing is closed while max_connecting are being opened already."""
    books = with_connections(1, max_pool_size=2, max_connecting=1)
    books.park("c1", 0)
    assert books.join("A", 1) == [Open(2)]
    assert books.join("B", 1) == []
    assert books.next_look == 5
    assert books.opened(2, "c2", 1) == [Grant("A", "c2")]
    assert books.look(1) == [Close("c1", ERROR), Open(3)]


def test_nobody_but_a_look_makes_room() -> None:
    """In the middle of a turn of the loop the late reply may have come, and nobody has read it yet."""
    books = with_connections(3, max_pool_size=3)
    books.park("c1", 0)
    books.join("A", 0)
    assert books.park("c2", 1) == []
    assert books.plan(1) == []
    assert books.drained("c1", 1) == [Grant("A", "c1")]
    assert books.look(1) == []


def test_a_parked_connection_makes_no_room_for_spare_ones() -> None:
    """Nobody waits for those."""
    books = with_connections(1, max_pool_size=1, min_pool_size=1)
    books.park("c1", 0)
    assert books.look(1) == []
    assert books.next_look == 5


def test_a_parked_connection_that_is_lost_leaves() -> None:
    """And makes room."""
    books = with_connections(1, max_pool_size=1)
    books.park("c1", 0)
    books.join("A", 0)
    assert books.lost("c1", 0) == [Open(2)]


# The pool as a whole


def test_a_new_pool_is_paused() -> None:
    """Nobody gets anything until it is ready, and it is made ready once."""
    books: Slots[str, str] = Slots(PoolOptions())
    assert books.state is PoolState.PAUSED
    assert books.take(0) is None
    assert books.join("A", 0) == [Fail("A")]
    assert books.ready(0)
    assert not books.ready(0)
    assert books.join("A", 0) == [Open(1)]


def test_clearing_leaves_only_what_is_in_use() -> None:
    """Idle and parked connections are closed, attempts given up, those who wait turned away; then it is paused."""
    books = with_connections(3, max_pool_size=4)
    books.park("c1", 0)
    books.give_back("c3", 0)
    books.take(0)
    assert books.join("A", 0) == [Open(4)]
    books.join("B", 0)
    assert books.clear() == [Close("c1", STALE), Abandon(4, STALE), Fail("A"), Fail("B")]
    assert books.counts == Counts(in_use=2)
    assert books.status == PoolStatus(in_use=2, max_pool_size=4, generation=1, state=PoolState.PAUSED)
    assert books.clear() == []
    assert books.generations.pool == 2
    assert books.remove("c2", 0) == []
    assert books.ready(1)
    assert books.join("C", 1) == [Open(5)]


def test_clearing_closes_what_is_idle() -> None:
    """At once, so that a stale connection is never handed out."""
    books = with_connections(1)
    books.give_back("c1", 0)
    assert books.clear() == [Close("c1", STALE)]
    assert books.take(0) is None


def test_clearing_without_a_pause() -> None:
    """Everything begins anew at once: who waited is turned away, the next one is served by a new connection."""
    books = with_connections(2, max_connecting=1)
    books.give_back("c1", 0)
    books.take(0)
    books.give_back("c2", 0)
    assert books.clear(pauses=False) == [Close("c2", STALE)]
    assert (books.state, books.generations.pool) == (PoolState.READY, 1)
    assert books.join("A", 0) == [Open(3)]
    assert books.join("B", 0) == []
    assert books.clear(pauses=False) == [Abandon(3, STALE), Fail("A"), Fail("B")]
    assert books.join("C", 0) == [Open(4)]
    assert books.counts == Counts(in_use=1, opening=1, waiting=1)
    assert not books.ready(0)


def test_clearing_without_a_pause_keeps_a_pause() -> None:
    """Of a pool that is paused, or closed, it changes no more than its generation."""
    books = slots()
    books.clear()
    assert books.clear(pauses=False) == []
    assert (books.state, books.generations.pool) == (PoolState.PAUSED, 2)
    books.close()
    assert books.clear(pauses=False) == []
    assert books.state is PoolState.CLOSED


def test_what_nobody_asked_for_waits_after_a_clearing_without_a_pause() -> None:
    """A server that refuses is not stormed to keep minPoolSize: the next attempt has its time."""
    books = slots(min_pool_size=2)
    assert books.plan(0) == [Open(1), Open(2)]
    books.failed(1)
    assert books.clear(pauses=False) == [Abandon(2, STALE)]
    assert books.after_failure(0, 5.0) == []
    assert books.plan(4.9) == []
    assert books.next_look == 5.0
    assert books.plan(5.0) == [Open(3), Open(4)]


def test_clearing_one_service_leaves_the_others() -> None:
    """In load balanced mode the pool stays ready, and who waits goes on waiting."""
    mine, yours = ObjectId(), ObjectId()
    books = slots(max_pool_size=4, max_connecting=4)
    for number, service in enumerate([mine, mine, mine, yours], 1):
        books.join(f"w{number}", 0)
        books.opened(number, f"c{number}", 0, service)
    books.give_back("c1", 0)
    books.give_back("c4", 0)
    books.park("c2", 0)
    assert books.clear_service(mine, 0) == [Close("c1", STALE), Close("c2", STALE)]
    assert books.state is PoolState.READY
    assert (books.generations.of(mine), books.generations.of(yours), books.generations.pool) == (1, 0, 0)
    assert books.counts == Counts(idle=1, in_use=1)
    # The last connection to it takes the generation with it.
    books.remove("c3", 0)
    assert books.generations.of(mine) == 0


def test_closing_turns_everybody_away() -> None:
    """What is idle or parked is closed, attempts are given up, and nothing is handed out any more."""
    books = with_connections(3, max_pool_size=4)
    books.give_back("c1", 0)
    books.park("c2", 0)
    books.take(0)
    books.join("A", 0)
    assert books.close() == [Close("c2", POOL_CLOSED), Abandon(4, POOL_CLOSED), Fail("A")]
    assert books.join("E", 0) == [Fail("E")]
    assert not books.ready(0)
    assert books.clear() == []
    assert books.state is PoolState.CLOSED
    assert books.remove("c3", 0) == []
    assert books.take(0) is None
    assert books.next_look is None


def test_closing_closes_what_is_idle() -> None:
    """At once, since nobody will ask for it."""
    books = with_connections(1)
    books.give_back("c1", 0)
    assert books.close() == [Close("c1", POOL_CLOSED)]
    assert books.counts.total == 0


class Books(RuleBasedStateMachine):
    """Any order of calls keeps the books sound."""

    def __init__(self) -> None:
        super().__init__()
        self.options = PoolOptions(max_pool_size=3, min_pool_size=1, max_connecting=2, max_idle_time=5, drain_timeout=4)
        self.books: Slots[str, int] = Slots(self.options)
        self.now = 0.0
        self.waiting: list[int] = []
        self.attempts: list[int] = []
        self.out: list[str] = []
        self.parked: list[str] = []
        self.live: set[str] = set()
        self.last_waiter = 0

    def carry_out(self, actions: Any) -> None:
        for action in actions:
            if isinstance(action, Grant):
                assert action.waiter == self.waiting.pop(0)
                assert action.connection in self.live
                assert action.connection not in self.out + self.parked
                self.out.append(action.connection)
            elif isinstance(action, Open):
                assert self.books.state is PoolState.READY
                self.attempts.append(action.connection_id)
            elif isinstance(action, Abandon):
                self.attempts.remove(action.connection_id)
            elif isinstance(action, Close):
                assert action.connection not in self.out
                self.live.remove(action.connection)
                if action.connection in self.parked:
                    self.parked.remove(action.connection)
            else:
                self.waiting.remove(action.waiter)

    @rule()
    def ready(self) -> None:
        if self.books.ready(self.now):
            self.carry_out(self.books.plan(self.now))

    @rule()
    def clear(self) -> None:
        self.carry_out(self.books.clear())

    @rule()
    def clear_without_a_pause(self) -> None:
        self.carry_out(self.books.clear(pauses=False))

    @rule()
    def join(self) -> None:
        self.last_waiter += 1
        self.waiting.append(self.last_waiter)
        self.carry_out(self.books.join(self.last_waiter, self.now))

    @rule(which=st.integers(0, 100))
    def leave(self, which: int) -> None:
        if self.waiting:
            self.books.leave(self.waiting.pop(which % len(self.waiting)))

    @rule()
    def take(self) -> None:
        connection = self.books.take(self.now)
        if connection is not None:
            assert not self.waiting
            assert connection in self.live
            assert connection not in self.out + self.parked
            self.out.append(connection)

    @rule(which=st.integers(0, 100), what=st.sampled_from(["keep", "park", "remove"]))
    def give_back(self, which: int, what: str) -> None:
        if self.out:
            connection = self.out.pop(which % len(self.out))
            if self.books.state is not PoolState.READY or what == "remove":
                # What is in use of a pool that was cleared is stale.
                self.live.remove(connection)
                self.carry_out(self.books.remove(connection, self.now))
            elif what == "park":
                self.parked.append(connection)
                self.carry_out(self.books.park(connection, self.now))
            else:
                self.carry_out(self.books.give_back(connection, self.now))

    @rule(which=st.integers(0, 100))
    def drained(self, which: int) -> None:
        if self.parked:
            connection = self.parked.pop(which % len(self.parked))
            self.carry_out(self.books.drained(connection, self.now))

    @rule(which=st.integers(0, 100))
    def opened(self, which: int) -> None:
        if self.attempts:
            number = self.attempts.pop(which % len(self.attempts))
            self.live.add(f"c{number}")
            self.carry_out(self.books.opened(number, f"c{number}", self.now))

    @rule(which=st.integers(0, 100), clears=st.booleans())
    def failed(self, which: int, clears: bool) -> None:
        if self.attempts:
            self.books.failed(self.attempts.pop(which % len(self.attempts)))
            if clears:
                self.carry_out(self.books.clear())
            self.carry_out(self.books.after_failure(self.now, self.now + 1))

    @rule(which=st.integers(0, 100))
    def lost(self, which: int) -> None:
        idle = sorted(self.live - set(self.out))
        if idle:
            connection = idle[which % len(idle)]
            self.live.remove(connection)
            if connection in self.parked:
                self.parked.remove(connection)
            actions = self.books.lost(connection, self.now)
            assert actions is not None
            self.carry_out(actions)

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.books.look(self.now))
        next_look = self.books.next_look
        assert next_look is None or next_look > self.now

    @invariant()
    def the_books_agree_with_the_world(self) -> None:
        counts = self.books.counts
        assert counts.in_use == len(self.out)
        assert counts.parked == len(self.parked)
        assert counts.opening == len(self.attempts) <= self.options.max_connecting
        assert counts.waiting == len(self.waiting)
        assert counts.idle == len(self.live) - len(self.out) - len(self.parked)
        assert counts.total == self.books.total <= self.options.max_pool_size

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        counts = self.books.counts
        if counts.waiting:
            assert self.books.state is PoolState.READY
            assert not counts.idle
            assert counts.opening > 0 or counts.total == self.options.max_pool_size
            if not counts.opening and counts.parked:
                assert self.books.next_look is not None

    @invariant()
    def a_paused_pool_has_nothing_to_give(self) -> None:
        counts = self.books.counts
        if self.books.state is PoolState.PAUSED:
            assert (counts.idle, counts.parked, counts.opening) == (0, 0, 0)


TestBooks = Books.TestCase
