"""The command log remembers, and wakes who waits for a command."""

from __future__ import annotations

import threading

import pytest

from aiomongo_tls.testing.recording import LIMIT, CommandLog, RecordedCommand


def command(name: str) -> RecordedCommand:
    return RecordedCommand(name=name, database="app", document={name: 1}, connection_id=1, client=None, user=None)


def test_the_order_of_arrival() -> None:
    """A copy of the log, oldest first; clearing it leaves the copy alone."""
    log = CommandLog()
    log.add(command("a"))
    log.add(command("b"))
    copy = log.all()
    log.clear()
    assert [entry.name for entry in copy] == ["a", "b"]
    assert log.all() == []


def test_a_long_log_forgets_its_beginning() -> None:
    """A server that runs for days does not fill the memory."""
    log = CommandLog()
    for _ in range(LIMIT):
        log.add(command("old"))
    log.add(command("new"))
    assert len(log.all()) == LIMIT
    assert log.all()[-1].name == "new"


def test_waiting_for_commands() -> None:
    """Whoever waits is woken by the last one that it needs."""
    log = CommandLog()
    log.add(command("find"))

    def later() -> None:
        log.add(command("other"))
        log.add(command("find"))

    thread = threading.Thread(target=later)
    thread.start()
    found = log.wait_for(lambda entry: entry.name == "find", 2, 5)
    thread.join()
    assert [entry.name for entry in found] == ["find", "find"]


def test_waiting_in_vain() -> None:
    """The error tells what came instead."""
    log = CommandLog()
    log.add(command("ping"))
    with pytest.raises(TimeoutError, match=r"0 of 1 commands.*\['ping'\]"):
        log.wait_for(lambda entry: entry.name == "find", 1, 0.001)
