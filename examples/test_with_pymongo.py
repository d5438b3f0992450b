"""The embedded server under PyMongo's own client, with the fixtures of the pytest plugin.

pytest examples/test_with_pymongo.py
"""

from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from aiomongo_tls.testing import CertKit, MongoTestServer


def test_pymongo_logs_in_with_a_certificate(aiomongo_certs: CertKit, aiomongo_server: MongoTestServer) -> None:
    me = aiomongo_certs.client("ada")
    aiomongo_server.add_user(me)
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri(client=me)) as client:
        client["app"]["users"].insert_one({"_id": 1, "name": "Ada"})
        assert client["app"]["users"].find_one({"name": "Ada"}) == {"_id": 1, "name": "Ada"}


def test_a_certificate_that_is_no_user_is_refused(aiomongo_certs: CertKit, aiomongo_server: MongoTestServer) -> None:
    nobody = aiomongo_certs.client("nobody")
    with (
        pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri(client=nobody)) as client,
        pytest.raises(OperationFailure) as caught,
    ):
        client["app"]["users"].find_one()
    assert caught.value.code == 18
