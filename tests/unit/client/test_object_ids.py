"""Ids for documents that are inserted without one."""

from __future__ import annotations

import os
import threading
import time

import pytest
from bson.objectid import ObjectId

from aiomongo_tls.client.object_ids import new_object_id


def test_laid_out_as_all_are() -> None:
    """Seconds, what is the process's, a counter."""
    before = int(time.time())
    first, second = new_object_id(), new_object_id()
    assert before <= first.generation_time.timestamp() <= time.time()
    assert type(first) is ObjectId
    assert first.binary[4:9] == second.binary[4:9]
    numbers = [int.from_bytes(each.binary[9:], "big") for each in (first, second)]
    assert (numbers[0] + 1) % 2**24 == numbers[1]


def test_the_counter_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the largest number of three bytes."""
    monkeypatch.setattr("aiomongo_tls.client.object_ids._process.numbers", iter([2**24 - 1, 2**24]))
    assert [new_object_id().binary[9:] for _ in range(2)] == [b"\xff\xff\xff", b"\0\0\0"]


def test_each_is_another_on_all_threads() -> None:
    """Nothing is made twice."""
    made: list[ObjectId] = []
    threads = [threading.Thread(target=lambda: made.extend(new_object_id() for _ in range(2000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_does_not_go_on_where_its_parent_was() -> None:
    """Both would make the same ids."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, new_object_id().binary)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    theirs = os.read(reader, 12)
    os.close(reader)
    assert theirs[4:9] != new_object_id().binary[4:9]
