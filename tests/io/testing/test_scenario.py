"""Rules decide about the commands they are for, as often as they say."""

from __future__ import annotations

import pytest

from aiomongo_tls.testing.failures import code_name
from aiomongo_tls.testing.recording import RecordedCommand
from aiomongo_tls.testing.scenario import Answers, Garbles, HangsUp, Replies, Rule, Scenario, StaysSilent


def command(name: str, number: int = 0) -> RecordedCommand:
    return RecordedCommand(name=name, database="app", document={name: number}, connection_id=1, client=None, user=None)


def taken(scenario: Scenario, *names: str) -> list[Rule | None]:
    return [scenario.take(command(name)) for name in names]


def test_a_rule_holds_until_it_is_cleared() -> None:
    """For its command, in any case, and for no other."""
    scenario = Scenario()
    rule = scenario.on(["findAndModify"], None).fails(11600)
    assert taken(scenario, "findAndModify", "find", "findandmodify") == [rule, None, rule]
    assert rule.used == 2
    scenario.clear()
    assert taken(scenario, "findAndModify") == [None]


def test_rules_are_used_up_in_order() -> None:
    """The oldest that is left decides; afterwards the server answers as usual."""
    scenario = Scenario()
    first, second = scenario.on(["ping"], None).once(), scenario.on(["ping"], None).times(2)
    assert taken(scenario, *["ping"] * 4) == [first, second, second, None]


def test_letting_some_pass() -> None:
    """`after` skips the first commands."""
    scenario = Scenario()
    rule = scenario.on(["ping"], None).after(2).once()
    assert taken(scenario, *["ping"] * 4) == [None, None, rule, None]


def test_hello_has_three_spellings() -> None:
    """A rule for one of them is for all."""
    for name in ("hello", "isMaster", "ismaster"):
        scenario = Scenario()
        rule = scenario.on([name], None)
        assert taken(scenario, "hello", "isMaster", "ismaster", "ping") == [rule, rule, rule, None]


def test_every_command() -> None:
    """`*` is for whatever comes."""
    scenario = Scenario()
    rule = scenario.on(["*"], None)
    assert taken(scenario, "find", "ping") == [rule, rule]


def test_several_commands_and_a_condition() -> None:
    """Names are alternatives; the condition looks at the command."""
    scenario = Scenario()
    rule = scenario.on(["insert", "update"], lambda c: c.document[c.name] == 7)
    assert scenario.take(command("insert", 7)) is rule
    assert scenario.take(command("update", 8)) is None
    assert scenario.take(command("delete", 7)) is None


@pytest.mark.parametrize(
    ("rule", "act", "delay"),
    [
        (lambda r: r, Answers(), 0),
        (lambda r: r.replies({"n": 1}), Replies({"n": 1, "ok": 1.0}), 0),
        (lambda r: r.replies({"ok": 0}), Replies({"ok": 0}), 0),
        (lambda r: r.answers_after(2.5), Answers(), 2.5),
        (lambda r: r.answers_after(2.5).hangs_up(), HangsUp(), 2.5),
        (lambda r: r.garbles(b"x"), Garbles(b"x"), 0),
        (lambda r: r.stays_silent(), StaysSilent(), 0),
    ],
)
def test_what_a_rule_does(rule: object, act: object, delay: float) -> None:
    """Each verb says one thing; a delay goes with any of them."""
    made = rule(Scenario().on(["find"], None))  # type: ignore[operator]
    assert (made.act, made.delay) == (act, delay)


def test_failing_with_a_code() -> None:
    """The reply has the code's name, the labels and whatever else was given."""
    rule = Scenario().on(["insert"], None).fails(91, "bye", labels=["RetryableWriteError"], topologyVersion=5)
    assert rule.act == Replies(
        {
            "ok": 0.0,
            "errmsg": "bye",
            "code": 91,
            "codeName": "ShutdownInProgress",
            "topologyVersion": 5,
            "errorLabels": ["RetryableWriteError"],
        }
    )


def test_codes_have_the_names_of_the_server() -> None:
    """A code without a name is called by its number, as the server does."""
    names = {code: code_name(code) for code in (197, 10107, 51024)}
    assert names == {197: "InvalidIndexSpecificationOption", 10107: "NotWritablePrimary", 51024: "Location51024"}
