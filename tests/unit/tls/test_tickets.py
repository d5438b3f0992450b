"""Session tickets: whom they are offered to, how long they count, and how rarely a session is read."""

from __future__ import annotations

import math
import ssl
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.tls.engine import TLSEngine, TLSInfo
from aiomongo_tls.tls.tickets import KEPT, LONGEST, PAUSE, READS, Resumption, Tickets

A = ServerAddress("a.example", 27017)
B = ServerAddress("b.example", 27017)
NOT_AFTER = "Jan  1 00:00:00 2030 GMT"
END = ssl.cert_time_to_seconds(NOT_AFTER)
START = END - 30 * 86400.0
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ALERT = ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR]")


@dataclass(eq=False)
class Session:
    """What OpenSSL would tell of a session."""

    time: float
    of: object = None
    timeout: float = 7200
    ticket_lifetime_hint: float = 7200
    has_ticket: bool = True
    id: bytes = b"0123"


@dataclass
class Engine:
    """A connection that has had an answer."""

    session: Session | None
    resumed: bool = False
    version: str = "TLSv1.3"
    not_after: str | None = NOT_AFTER
    reads: list[Session | None] = field(default_factory=list)

    @property
    def info(self) -> TLSInfo:
        return TLSInfo(
            version=self.version,
            cipher="",
            resumed=self.resumed,
            peer_certificate={"notAfter": self.not_after} if self.not_after else None,
            peer_der=None,
            server_hostname=None,
        )

    def read_session(self) -> Session | None:
        self.reads.append(self.session)
        return self.session


def offer(tickets: Tickets, now: float, address: ServerAddress = A, name: str | None = None) -> Resumption:
    return tickets.resumption(CONTEXT, address, name, now)


def bring(resumption: Resumption, engine: Engine, now: float) -> int:
    """End a connection well; how many sessions were read for that."""
    before = len(engine.reads)
    resumption.succeeded(cast(TLSEngine, engine), now)
    return len(engine.reads) - before


def connect(tickets: Tickets, now: float, *, accepts: bool = True, renews: bool = True, **session: Any) -> int:
    """A whole connection to A; how many sessions were read for it."""
    resumption = offer(tickets, now)
    offered = cast("Session | None", resumption.session)
    resumed = accepts and offered is not None
    given = Session(now, **session) if renews or not resumed else replace(cast(Session, offered))
    return bring(resumption, Engine(given, resumed, version="TLSv1.3" if renews else "TLSv1.2"), now)


def test_the_first_connection_brings_what_the_next_ones_offer() -> None:
    """One session is read, however many connections follow."""
    tickets = Tickets()
    session = Session(START)
    assert offer(tickets, START).session is None
    assert bring(offer(tickets, START), Engine(session), START) == 1
    for second in range(100):
        resumption = offer(tickets, START + second)
        assert resumption.session is session
        assert bring(resumption, Engine(Session(START + second), resumed=True), START + second) == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [(B, None), (replace(A, port=27018), None), (A, "b.example"), (A, "a.example")],
    ids=["other host", "other port", "other name", "name that was not given before"],
)
def test_a_ticket_is_for_one_address_under_one_name(address: ServerAddress, name: str | None) -> None:
    """Address and server name both."""
    tickets = Tickets()
    assert bring(offer(tickets, START), Engine(Session(START)), START) == 1
    assert offer(tickets, START, address, name).session is None
    assert offer(tickets, START).session is not None


def test_a_ticket_is_for_one_context() -> None:
    """Also where two happen to share a cache."""
    tickets = Tickets()
    assert bring(offer(tickets, START), Engine(Session(START)), START) == 1
    assert tickets.resumption(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), A, None, START).session is None


def test_what_a_context_verifies_may_change() -> None:
    """A session from before it checked names is none for a context that does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    tickets = Tickets()
    assert bring(tickets.resumption(context, A, None, START), Engine(Session(START)), START) == 1
    assert tickets.resumption(context, A, None, START).session is not None
    context.check_hostname = True
    assert tickets.resumption(context, A, None, START).session is None
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    assert tickets.resumption(context, A, None, START).session is None


@pytest.mark.parametrize(
    ("own_end", "not_after", "lifetime", "ends"),
    [
        (math.inf, NOT_AFTER, 300, 300),
        (math.inf, NOT_AFTER, 7 * 86400, LONGEST),
        (START + 50, NOT_AFTER, 300, 50),
        (math.inf, None, 300, 300),
    ],
    ids=["the server's word", "an hour", "our certificate", "nothing verified"],
)
def test_a_ticket_ends(own_end: float, not_after: str | None, lifetime: float, ends: float) -> None:
    """With whatever ends first."""
    tickets = Tickets(own_end)
    session = Session(START, timeout=lifetime, ticket_lifetime_hint=lifetime)
    assert bring(offer(tickets, START), Engine(session, not_after=not_after), START) == 1
    assert offer(tickets, START + ends - 1).session is session
    assert offer(tickets, START + ends).session is None


def test_a_ticket_ends_with_the_servers_certificate() -> None:
    """To the second."""
    tickets = Tickets()
    session = Session(END - 60)
    assert bring(offer(tickets, END - 60), Engine(session), END - 60) == 1
    assert offer(tickets, END - 1).session is session
    assert offer(tickets, END).session is None


def test_a_clock_that_was_set_back_makes_a_ticket_worthless() -> None:
    """Nobody knows how old it is."""
    tickets = Tickets()
    assert connect(tickets, START) == 1
    assert offer(tickets, START - 1).session is None


@pytest.mark.parametrize(
    "engine",
    [
        Engine(None),
        Engine(Session(START, has_ticket=False)),
        Engine(Session(START, ticket_lifetime_hint=0)),
        Engine(Session(START, has_ticket=False, id=b""), version="TLSv1.2"),
        Engine(Session(START - 7200)),
    ],
    ids=["no session", "no ticket", "a ticket not to be kept", "neither ticket nor number", "too old already"],
)
def test_what_cannot_be_resumed_is_not_offered(engine: Engine) -> None:
    """And is not read again and again."""
    tickets = Tickets()
    reads = sum(bring(offer(tickets, START), engine, START) for _ in range(100))
    assert reads == READS
    assert offer(tickets, START).session is None


@pytest.mark.parametrize("hint", [0, 300])
def test_with_tls_12_the_server_may_remember(hint: int) -> None:
    """A session without a ticket has a number, and no word of the server about its end is none against it."""
    tickets = Tickets()
    session = Session(START, has_ticket=False, ticket_lifetime_hint=hint)
    assert bring(offer(tickets, START), Engine(session, version="TLSv1.2"), START) == 1
    assert offer(tickets, START + 299).session is session
    assert (offer(tickets, START + 300).session is None) == bool(hint)


class TestReading:
    """A session is read when there is no ticket, it was declined, or half of its life is over."""

    def test_half_of_its_life(self) -> None:
        """Then the next connection brings a new one, and those after it need not."""
        tickets = Tickets()
        assert connect(tickets, START, timeout=100) == 1
        assert connect(tickets, START + 49) == 0
        assert connect(tickets, START + 50) == 1
        assert connect(tickets, START + 51) == 0
        assert offer(tickets, START + 149).session is not None

    def test_a_new_one_that_would_not_last_longer_is_not_read(self) -> None:
        """What ends with the hour or a certificate ends with it."""
        tickets = Tickets(START + 100)
        assert [connect(tickets, START + second) for second in (0, 49, 50, 99)] == [1, 0, 0, 0]
        assert connect(tickets, START + 50) == 0

    def test_one_that_does_not_change_is_read_once_more(self) -> None:
        """TLS 1.2: the server takes the old ticket and gives no new one."""
        tickets = Tickets()
        assert connect(tickets, START, timeout=100) == 1
        assert [connect(tickets, START + second, renews=False) for second in (50, 60, 70)] == [1, 0, 0]
        assert offer(tickets, START + 99).session is not None
        assert offer(tickets, START + 100).session is None

    def test_renewing_does_not_go_on_for_ever(self) -> None:
        """An hour after certificates were looked at they are looked at again."""
        tickets = Tickets()
        full = 0
        reads = 0
        for second in range(0, 4 * 3600, 10):
            full += offer(tickets, START + second).session is None
            reads += connect(tickets, START + second, timeout=600)
        assert full == 4
        assert reads < 4 * 3600 / 300 + 8

    def test_declined(self) -> None:
        """The server has lost its keys: what it gives instead is kept."""
        tickets = Tickets()
        assert connect(tickets, START) == 1
        old = offer(tickets, START).session
        assert connect(tickets, START + 1, accepts=False) == 1
        assert offer(tickets, START + 1).session not in (None, old)

    def test_of_many_at_once_one_reads(self) -> None:
        """A hundred connections without a ticket, and a hundred whose ticket was declined."""
        tickets = Tickets()
        for _ in range(2):
            together = [offer(tickets, START) for _ in range(100)]
            assert sum(bring(one, Engine(Session(START)), START) for one in together) == 1

    def test_a_server_that_declines_always_is_not_read_always(self) -> None:
        """Several at once, then one a minute; as with a ticket for each connection, or servers side by side."""
        tickets = Tickets()
        reads = sum(connect(tickets, START + n / 100, accepts=False) for n in range(6000))
        assert reads <= READS + 1
        assert sum(connect(tickets, START + 60 + n, accepts=False) for n in range(600)) <= 600 / PAUSE + 1


class TestFailure:
    """A connection that fails in TLS after it offered a ticket."""

    def test_the_ticket_is_forgotten_and_none_taken_for_a_while(self) -> None:
        """There are servers that cannot cope with tickets."""
        tickets = Tickets()
        connect(tickets, START)
        offer(tickets, START).failed(ALERT, START)
        assert offer(tickets, START).session is None
        assert connect(tickets, START + PAUSE - 1) == 0
        assert connect(tickets, START + PAUSE) == 1
        assert offer(tickets, START + PAUSE).session is not None

    @pytest.mark.parametrize("cause", [ssl.SSLEOFError(8, "eof"), ConnectionResetError(), EOFError(), None], ids=repr)
    def test_an_end_costs_one_ticket(self, cause: BaseException | None) -> None:
        """More often it is a restart than an opinion about tickets."""
        tickets = Tickets()
        connect(tickets, START)
        offer(tickets, START).failed(cause, START)
        assert offer(tickets, START).session is None
        assert connect(tickets, START) == 1
        assert offer(tickets, START).session is not None

    def test_without_a_ticket_it_says_nothing(self) -> None:
        """The twin: another connection's ticket stays."""
        tickets = Tickets()
        failing = offer(tickets, START)
        connect(tickets, START)
        failing.failed(ALERT, START)
        assert offer(tickets, START).session is not None


def test_the_number_of_hosts_is_limited() -> None:
    """The one that was not asked for the longest goes."""
    tickets = Tickets(limit=3)
    hosts = [replace(A, port=port) for port in range(1, 5)]
    for host in hosts[:3]:
        bring(offer(tickets, START, host), Engine(Session(START)), START)
    assert offer(tickets, START, hosts[0]).session is not None
    bring(offer(tickets, START, hosts[3]), Engine(Session(START)), START)
    assert [offer(tickets, START, host).session is not None for host in (hosts[0], hosts[2], hosts[3])] == [True] * 3
    assert offer(tickets, START, hosts[1]).session is None
    assert len(tickets._slots) == 3
    assert KEPT >= 100


def test_what_is_forgotten_does_not_come_back() -> None:
    """A connection that was under way brings nothing home."""
    tickets = Tickets()
    under_way = offer(tickets, START)
    tickets.clear()
    bring(under_way, Engine(Session(START)), START)
    assert offer(tickets, START).session is None


# The property: whatever happens in whatever order, an offered session is of that very host and identity, certificates
# were looked at within the hour, and it has not ended.

CONTEXTS = [ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2)]
steps = st.tuples(
    st.integers(0, 2),  # which identity
    st.sampled_from([A, B, replace(A, port=1)]),
    st.sampled_from([None, "x.example", "y.example"]),
    st.integers(0, 2000),  # seconds that pass
    st.sampled_from(["accepts", "declines", "fails", "is lost", "forgets"]),
    st.integers(0, 5000),  # how long the session counts
    st.booleans(),  # TLS 1.3
)


@given(st.lists(steps, max_size=40))
def test_no_ticket_crosses_hosts_or_identities(script: list[Any]) -> None:
    """Two identities that share an SSLContext (one that was supplied, with other names), and one that does not."""
    identities = [(Tickets(), CONTEXTS[0]), (Tickets(START + 20_000), CONTEXTS[0]), (Tickets(), CONTEXTS[1])]
    now, reads = START, 0
    proven: dict[int, float] = {}
    kept: list[Session] = []
    for which, address, name, seconds, outcome, lifetime, is_tls13 in script:
        now += seconds
        tickets, context = identities[which]
        resumption = tickets.resumption(context, address, name, now)
        offered = cast("Session | None", resumption.session)
        if offered is not None:
            assert offered.of == (which, address, name)
            assert now < min(offered.time + offered.timeout, proven[id(offered)] + LONGEST, tickets._ends, END)
        if outcome == "fails":
            resumption.failed(ALERT, now)
        elif outcome == "forgets":
            tickets.clear()
        if outcome in {"fails", "forgets", "is lost"}:
            continue
        resumed = offered is not None and outcome == "accepts"
        session = Session(now, (which, address, name), timeout=lifetime)
        proven[id(session)] = proven[id(offered)] if resumed else now
        kept.append(session)
        engine = Engine(session, resumed, "TLSv1.3" if is_tls13 else "TLSv1.2")
        assert bring(resumption, engine, now) <= 1
        reads += len(engine.reads)
    assert reads <= len(script)
