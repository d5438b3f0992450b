"""Findings as text and as JSON."""

from __future__ import annotations

import json

import pytest

from aiomongo_tls import Check, Diagnosis, ServerAddress
from aiomongo_tls.doctor.findings import OK, error, info, warning
from aiomongo_tls.doctor.report import as_json, as_text, wants_color
from aiomongo_tls.version import __version__

HOST = ServerAddress("db.example.net")
DIAGNOSIS = Diagnosis(
    findings=(
        info(Check.ENVIRONMENT, "python", "Python", found="3.11.7 (CPython)"),
        info(Check.ENVIRONMENT, "openssl", "OpenSSL", found="OpenSSL 3.0"),
        warning(Check.URI, "deprecated-option", "ssl_ca_certs is a former name", fix="use tlsCAFile"),
        info(Check.DNS, OK, "the name was found", host=HOST, found="10.0.0.1", elapsed=0.0123),
        info(Check.TCP, OK, "a connection was made", host=HOST, elapsed=1.25),
        error(
            Check.TLS,
            "hostname-mismatch",
            "the server's certificate is for another host",
            host=HOST,
            expected="a certificate for db.example.net",
            found="a certificate for evil\x1b[2J\u202e.example.net",
            fix="connect by a name that is in the certificate",
            elapsed=0.004,
        ),
    ),
    elapsed=1.3,
)

TEXT = """\
this machine
  info     Python   3.11.7 (CPython)
  info     OpenSSL  OpenSSL 3.0

options
  warning  ssl_ca_certs is a former name [deprecated-option]
           fix       use tlsCAFile

db.example.net:27017
  ok       dns   the name was found     10.0.0.1 (12 ms)
  ok       tcp   a connection was made (1.2 s)
  error    tls   the server's certificate is for another host [hostname-mismatch] (4 ms)
           expected  a certificate for db.example.net
           found     a certificate for evil?[2J?.example.net
           fix       connect by a name that is in the certificate

1 error, 1 warning
"""


def test_the_text() -> None:
    """Sections in the order of the findings, facts in columns, faults with rows below; nothing a terminal acts upon."""
    assert as_text(DIAGNOSIS) == TEXT


def test_the_coloured_text() -> None:
    """Colours change nothing but the colour, and the columns stay."""
    text = as_text(DIAGNOSIS, color=True)
    assert "\x1b[31;1merror   \x1b[0m tls" in text
    assert "\x1b[33;1mwarning \x1b[0m" in text
    assert "\x1b[1mdb.example.net:27017\x1b[0m" in text
    assert text.endswith("\x1b[31;1m1 error, 1 warning\x1b[0m\n")
    for code in ("\x1b[31;1m", "\x1b[33;1m", "\x1b[32m", "\x1b[1m", "\x1b[0m"):
        text = text.replace(code, "")
    assert text == TEXT


def test_nothing_found() -> None:
    """The summary is always there."""
    assert as_text(Diagnosis(findings=(), elapsed=0)).strip() == "no errors, no warnings"


def test_the_json() -> None:
    """Every field of every finding, each time."""
    document = json.loads(as_json(DIAGNOSIS))
    assert document | {"findings": []} == {
        "schema": 1,
        "version": __version__,
        "worst": "error",
        "elapsed": 1.3,
        "findings": [],
    }
    assert document["findings"][0] == {
        "check": "environment",
        "severity": "info",
        "reason": "python",
        "title": "Python",
        "host": None,
        "expected": None,
        "found": "3.11.7 (CPython)",
        "fix": None,
        "elapsed": None,
    }
    assert document["findings"][5] == {
        "check": "tls",
        "severity": "error",
        "reason": "hostname-mismatch",
        "title": "the server's certificate is for another host",
        "host": "db.example.net:27017",
        "expected": "a certificate for db.example.net",
        "found": "a certificate for evil\x1b[2J\u202e.example.net",
        "fix": "connect by a name that is in the certificate",
        "elapsed": 0.004,
    }
    assert all(finding.keys() == document["findings"][0].keys() for finding in document["findings"])
    assert as_json(DIAGNOSIS).isascii()


@pytest.mark.parametrize(
    ("is_terminal", "environ", "expected"),
    [
        (True, {}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_when_there_is_colour(is_terminal: bool, environ: dict[str, str], expected: bool) -> None:
    """On a terminal that can, unless somebody asks for none."""
    assert wants_color(is_terminal=is_terminal, environ=environ) is expected
