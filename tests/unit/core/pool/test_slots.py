"""The books of a pool: who gets which connection, what is opened, what is closed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.slots import Close, Counts, Fail, Grant, Open, Slots


def slots(**options: Any) -> Slots[str, str]:
    return Slots(PoolOptions(**options))


def test_a_waiter_gets_a_connection_of_its_own() -> None:
    """With nothing there one connection is opened, and whoever asked for it gets it."""
    books = slots()
    assert books.join("A", 0) == [Open(1)]
    assert books.counts == Counts(idle=0, in_use=0, opening=1, waiting=1)
    assert books.opened(1, "c1", 0) == [Grant("A", "c1")]
    assert books.counts == Counts(idle=0, in_use=1, opening=0, waiting=0)


def test_a_connection_given_back_is_there_for_the_next() -> None:
    """The next one takes it at once, without waiting."""
    books = slots()
    books.join("A", 0)
    books.opened(1, "c1", 0)
    assert books.take(0) is None
    assert books.give_back("c1", 0) == []
    assert books.take(0) == "c1"
    assert books.take(0) is None


def test_connections_go_out_last_in_first_out() -> None:
    """What is not needed stays at the bottom and grows old."""
    books = slots()
    for name in "ABC":
        books.join(name, 0)
    for number in (1, 2, 3):
        books.opened(number, f"c{number}", 0)
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
    books = slots()
    books.join("A", 0)
    books.opened(1, "c1", 0)
    assert books.join("B", 0) == [Open(2)]
    assert books.give_back("c1", 0) == [Grant("B", "c1")]
    assert books.join("C", 0) == []
    assert books.opened(2, "c2", 0) == [Grant("C", "c2")]


def test_an_attempt_outlives_whoever_wanted_it() -> None:
    """The connection of a waiter who gave up is idle."""
    books = slots()
    books.join("A", 0)
    books.leave("A")
    assert books.counts == Counts(idle=0, in_use=0, opening=1, waiting=0)
    assert books.opened(1, "c1", 0) == []
    assert books.take(0) == "c1"


def test_a_failed_attempt_ends_the_waiting_of_all() -> None:
    """Everybody who waits learns of it, and nothing is tried again by itself."""
    books = slots(max_connecting=1)
    for name in "ABC":
        books.join(name, 0)
    assert books.failed(1) == [Fail("A"), Fail("B"), Fail("C")]
    assert books.counts == Counts(0, 0, 0, 0)
    assert books.join("D", 0) == [Open(2)]


def test_a_connection_that_cannot_be_kept_makes_room() -> None:
    """In its place a new one is opened for whoever waits."""
    books = slots(max_pool_size=1)
    books.join("A", 0)
    books.opened(1, "c1", 0)
    assert books.join("B", 0) == []
    assert books.give_back("c1", 0, keep=False) == [Open(2)]


def test_nobody_overtakes_a_waiter() -> None:
    """An idle connection is not taken while somebody waits, which lasts until the next plan at most."""
    books = slots(max_idle_time=10)
    books.join("A", 0)
    books.opened(1, "c1", 0)
    books.give_back("c1", 0)
    books._waiters["B"] = None
    assert books.take(1) is None
    assert books.plan(1) == [Grant("B", "c1")]


def test_a_foreign_connection_changes_nothing() -> None:
    """What is not in use is not taken in: given back twice, it is there once."""
    books = slots()
    books.join("A", 0)
    books.opened(1, "c1", 0)
    assert books.give_back("other", 0) == []
    books.give_back("c1", 0)
    assert books.give_back("c1", 0) == []
    assert books.counts.idle == 1


def test_the_old_are_closed() -> None:
    """Beyond max_idle_time a connection is not handed out any more; the plan closes it."""
    books = slots(max_idle_time=10)
    for name in "AB":
        books.join(name, 0)
    books.opened(1, "c1", 0)
    books.opened(2, "c2", 0)
    books.give_back("c1", 0)
    books.give_back("c2", 5)
    assert books.next_look == 10
    assert books.plan(9.9) == []
    assert books.plan(10) == [Close("c1")]
    assert books.next_look == 15
    assert books.take(15) is None
    assert books.join("C", 15) == [Close("c2"), Open(3)]
    assert books.next_look is None


def test_an_idle_connection_that_is_lost_leaves_at_once() -> None:
    """One in use leaves when it is given back."""
    books = slots()
    for name in "AB":
        books.join(name, 0)
    books.opened(1, "c1", 0)
    books.opened(2, "c2", 0)
    books.give_back("c1", 0)
    assert books.lost("c1", 0) == []
    assert books.lost("c2", 0) == []
    assert books.counts == Counts(idle=0, in_use=1, opening=0, waiting=0)


def test_min_pool_size_is_filled_after_the_first_success() -> None:
    """Nobody needs spare connections to a server that has not let us in yet."""
    books = slots(min_pool_size=4, max_connecting=2)
    assert books.join("A", 0) == [Open(1)]
    assert books.opened(1, "c1", 0) == [Grant("A", "c1"), Open(2), Open(3)]
    assert books.opened(2, "c2", 0) == [Open(4)]
    assert not books.is_short
    books.opened(3, "c3", 0)
    assert books.opened(4, "c4", 0) == []
    assert books.counts == Counts(idle=3, in_use=1, opening=0, waiting=0)


def test_min_pool_size_is_not_filled_right_after_a_failure() -> None:
    """Until `fill()` says that it is time to try again."""
    books = slots(min_pool_size=2)
    books.join("A", 0)
    books.opened(1, "c1", 0)
    assert books.failed(2) == []
    assert books.is_short
    assert books.give_back("c1", 0) == []
    assert books.fill(1) == [Open(3)]


def test_a_lost_spare_connection_is_replaced() -> None:
    """min_pool_size holds although nobody asks for anything."""
    books = slots(min_pool_size=1)
    books.join("A", 0)
    books.opened(1, "c1", 0)
    books.give_back("c1", 0)
    assert books.lost("c1", 0) == [Open(2)]


def test_closing_turns_everybody_away() -> None:
    """What is idle is closed, who waits is told, and nothing is handed out or taken in any more."""
    books = slots(max_pool_size=2)
    for name in "ABC":
        books.join(name, 0)
    books.opened(1, "c1", 0)
    books.opened(2, "c2", 0)
    assert books.give_back("c1", 0) == [Grant("C", "c1")]
    assert books.join("D", 0) == []
    assert books.close() == [Fail("D")]
    assert books.join("E", 0) == [Fail("E")]
    assert books.give_back("c2", 0) == [Close("c2")]
    assert books.opened(3, "c3", 0) == [Close("c3")]
    assert books.take(0) is None


def test_closing_closes_what_is_idle() -> None:
    """At once, since nobody will ask for it."""
    books = slots()
    books.join("A", 0)
    books.opened(1, "c1", 0)
    books.give_back("c1", 0)
    assert books.close() == [Close("c1")]
    assert books.counts.total == 0


class Books(RuleBasedStateMachine):
    """Any order of calls keeps the books sound."""

    def __init__(self) -> None:
        super().__init__()
        self.options = PoolOptions(max_pool_size=3, min_pool_size=1, max_connecting=2, max_idle_time=5)
        self.books: Slots[str, int] = Slots(self.options)
        self.now = 0.0
        self.waiting: list[int] = []
        self.attempts: list[int] = []
        self.out: list[str] = []
        self.live: set[str] = set()
        self.last_waiter = 0

    def carry_out(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Grant):
                assert action.waiter == self.waiting.pop(0)
                assert action.connection in self.live
                assert action.connection not in self.out
                self.out.append(action.connection)
            elif isinstance(action, Open):
                self.attempts.append(action.connection_id)
            elif isinstance(action, Close):
                assert action.connection not in self.out
                self.live.remove(action.connection)
            else:
                self.waiting.remove(action.waiter)

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
            assert connection not in self.out
            self.out.append(connection)

    @rule(which=st.integers(0, 100), keep=st.booleans())
    def give_back(self, which: int, keep: bool) -> None:
        if self.out:
            connection = self.out.pop(which % len(self.out))
            if not keep:
                self.live.remove(connection)
            self.carry_out(self.books.give_back(connection, self.now, keep=keep))

    @rule(which=st.integers(0, 100))
    def opened(self, which: int) -> None:
        if self.attempts:
            number = self.attempts.pop(which % len(self.attempts))
            self.live.add(f"c{number}")
            self.carry_out(self.books.opened(number, f"c{number}", self.now))

    @rule(which=st.integers(0, 100))
    def failed(self, which: int) -> None:
        if self.attempts:
            self.carry_out(self.books.failed(self.attempts.pop(which % len(self.attempts))))
            assert not self.waiting

    @rule(which=st.integers(0, 100))
    def lost(self, which: int) -> None:
        idle = sorted(self.live - set(self.out))
        if idle:
            connection = idle[which % len(idle)]
            self.live.remove(connection)
            self.carry_out(self.books.lost(connection, self.now))

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.books.fill(self.now))

    @invariant()
    def the_books_agree_with_the_world(self) -> None:
        counts = self.books.counts
        assert counts.in_use == len(self.out)
        assert counts.opening == len(self.attempts) <= self.options.max_connecting
        assert counts.waiting == len(self.waiting)
        assert counts.idle == len(self.live) - len(self.out)
        assert counts.total <= self.options.max_pool_size

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        counts = self.books.counts
        if counts.waiting:
            assert not counts.idle
            assert counts.opening > 0 or counts.total == self.options.max_pool_size


TestBooks = Books.TestCase
