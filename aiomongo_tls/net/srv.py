"""SRV and TXT records, asked for with dnspython.

The records are asked for one after the other: the second question costs one more round trip, once per client, and no
task. dnspython and the machine's DNS configuration are loaded on a thread, at each look-up: the import takes a tenth of
a second, which nobody pays without mongodb+srv, and a laptop that moved to another network has other name servers.

What is raised follows `core/sdam/failures`: an answer that waiting does not change (no such name, no such records) is a
ConfigurationError, as with PyMongo; silence and servers that fail are a ConnectionFailure with the phase DNS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.uri.srv import SRVRecords
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure, MongoError, NetworkTimeout, Phase
from aiomongo_tls.net.threads import in_thread

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver
    from dns.resolver import Answer

LONGEST: Final = 10.0
"""Seconds that a question may take where no deadline says less; the default of connectTimeoutMS."""


class SRVResolver(Protocol):
    """Who answers questions about SRV and TXT records."""

    async def srv(self, name: str, deadline: Deadline) -> SRVRecords:
        """Ask for the SRV records of a name such as `_mongodb._tcp.cluster.example.net`.

        Args:
            name: the name, without a final dot.
            deadline: when to give up, on the loop's clock.

        Raises:
            ConfigurationError: there is no such name, or it has no such records.
            ConnectionFailure: nobody could say; asking again may help.
        """
        ...

    async def txt(self, name: str, deadline: Deadline) -> Sequence[Sequence[bytes]]:
        """Ask for the TXT records of a name, each the strings that it consists of; none is no error.

        Args:
            name: the name, without a final dot.
            deadline: when to give up, on the loop's clock.

        Raises:
            ConnectionFailure: nobody could say; asking again may help.
        """
        ...


def system_resolver() -> Resolver:
    """A resolver with the machine's configuration, of `/etc/resolv.conf` or the registry. Blocks: call it in a thread.

    Raises:
        NoResolverConfiguration: the machine has none.
    """
    from dns.asyncresolver import Resolver

    return Resolver()


class DNSResolver:
    """Asks the name servers of this machine, or others.

    Args:
        configure: makes the resolver; may block, and is called on a thread for each question.
    """

    def __init__(self, configure: Callable[[], Resolver] = system_resolver) -> None:
        self._configure = configure

    async def srv(self, name: str, deadline: Deadline) -> SRVRecords:
        """As `SRVResolver.srv()`."""
        answer = await self._ask(name, "SRV", deadline)
        if answer is None:
            raise ConfigurationError(
                f"there are no SRV records of {name}: check the spelling of the host, or write mongodb:// if it is the "
                "name of a server"
            )
        targets = tuple(
            ServerAddress(record.target.to_text(omit_final_dot=True).lower(), record.port)
            for record in cast(Sequence[Any], answer)
        )
        return SRVRecords(targets=targets, ttl=answer.rrset.ttl if answer.rrset is not None else 0)

    async def txt(self, name: str, deadline: Deadline) -> Sequence[Sequence[bytes]]:
        """As `SRVResolver.txt()`."""
        answer = await self._ask(name, "TXT", deadline)
        return () if answer is None else tuple(record.strings for record in cast(Sequence[Any], answer))

    async def _ask(self, name: str, kind: str, deadline: Deadline) -> Answer | None:
        """The answer; None if there is no such name, or it has no such records."""
        limit = deadline.tightened(Deadline(asyncio.get_running_loop().time() + LONGEST))
        asked = "no name server"
        try:
            async with asyncio.timeout_at(limit.at):
                resolver = await in_thread(self._load, name=f"aiomongo_tls load DNS for {name}")
                asked = f"no name server ({', '.join(map(str, resolver.nameservers))})"
                # The final dot keeps the machine's search domains out. The time limit is ours: dnspython's follows the
                # wall clock, which may jump.
                return await resolver.resolve(f"{name}.", kind, lifetime=2 * LONGEST, backend=_backend())
        except TimeoutError as exc:
            option = f" ({limit.option})" if limit.option else ""
            raise NetworkTimeout(
                f"the {kind} records of {name} could not be looked up: {asked} has answered in time{option}",
                phase=Phase.DNS,
            ) from exc
        except Exception as exc:
            fault = _fault(exc, name, kind)
            if fault is None:
                return None
            raise fault from exc

    def _load(self) -> Resolver:
        resolver = self._configure()
        _backend()
        return resolver


def _backend() -> Any:
    """Dnspython's half for asyncio, named because guessing asks sniffio, which may not know our tasks."""
    from dns.asyncbackend import get_backend

    return get_backend("asyncio")


def _fault(exc: Exception, name: str, kind: str) -> MongoError | None:
    """What an error of dnspython is in our words; None if it says that there is nothing.

    Raises:
        Exception: the error itself, if it is neither dnspython's nor the system's.
    """
    from dns.exception import DNSException, Timeout
    from dns.name import EmptyLabel, LabelTooLong, NameTooLong
    from dns.resolver import NXDOMAIN, YXDOMAIN, NoAnswer, NoResolverConfiguration

    what = f"the {kind} records of {name} could not be looked up"
    if isinstance(exc, (NXDOMAIN, NoAnswer)):
        return None
    if isinstance(exc, NoResolverConfiguration):
        return ConfigurationError(f"{what}: this machine has no DNS configuration ({exc})")
    if isinstance(exc, (EmptyLabel, LabelTooLong, NameTooLong, YXDOMAIN)):
        return ConfigurationError(f"{what}: DNS cannot have such a name ({exc})")
    if isinstance(exc, Timeout):
        return NetworkTimeout(f"{what}: {exc}", phase=Phase.DNS)
    if isinstance(exc, (DNSException, OSError)):
        return ConnectionFailure(f"{what}: {exc}", phase=Phase.DNS)
    raise exc
