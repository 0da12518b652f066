"""``on`` and ``off``, in all the words that people and programs write them by."""

import math
from collections.abc import Callable

import pytest

from mainstay.spec.declaration import Declaration
from mainstay.spec.dump import dump
from mainstay.spec.explained_inbound import explained_inbound
from mainstay.spec.faults import Fault
from mainstay.spec.health import Health
from mainstay.spec.load import Loaded
from mainstay.spec.perimeter import SecurityHeaders
from mainstay.spec.shed import Shed
from mainstay.spec.telemetry import Metrics

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

HEAD = "service: a\napp: a:a\n"


def only(loaded: Loaded) -> Declaration:
    return loaded.system.members[0].declaration


@pytest.mark.parametrize(
    ("word", "is_on"),
    [("on", True), ("true", True), ("off", False), ("false", False), ('"off"', False)],
)
def test_flags_take_the_words_of_other_keys(load: Load, word: str, *, is_on: bool) -> None:
    declaration = only(load(f"{HEAD}inbound: {{access_log: {word}}}\nedge: {{access_log: {word}}}"))
    assert declaration.inbound.access_log is is_on
    assert declaration.edge.access_log is is_on


@pytest.mark.parametrize("word", ["no", "yes", "0", "On", "none"])
def test_what_is_no_flag_is_told_what_to_write(complain: Complain, word: str) -> None:
    (fault,) = complain(f"{HEAD}inbound: {{access_log: {word}}}\n")
    assert fault.sentence.startswith("expected true or false, on or off, found ")


@pytest.mark.parametrize("word", ["off", "false", "~", "", '"${X:-false}"'])
def test_a_part_is_turned_off(load: Load, word: str) -> None:
    """``false`` is what a reader of YAML 1.1 makes of ``off``."""
    text = (
        f"{HEAD}inbound:\n  shed: {word}\n  headers: {word}\n  body_max: {word}\n  cors: {word}\n"
    )
    inbound = only(load(text)).inbound
    assert (inbound.shed, inbound.headers, inbound.body_bytes_max, inbound.cors) == (None,) * 4


@pytest.mark.parametrize("word", ["on", "true", '"${X:-on}"'])
def test_a_part_that_is_turned_on_is_as_its_defaults_are(load: Load, word: str) -> None:
    text = f"inbound:\n  shed: {word}\n  headers: {word}\n  body_max: {word}\n"
    declaration = only(load(f"{HEAD}{text}telemetry: {{metrics: {word}}}\n"))
    assert declaration.inbound.shed == Shed()
    assert declaration.inbound.headers == SecurityHeaders()
    assert declaration.inbound.body_bytes_max == 16 * 2**20
    assert declaration.telemetry.metrics == Metrics()


@pytest.mark.parametrize("key", ["session", "rate_limit", "cors"])
def test_on_alone_says_too_little_where_there_is_no_default(complain: Complain, key: str) -> None:
    (fault,) = complain(f"{HEAD}inbound: {{{key}: true}}\n")
    assert fault.path == f"inbound.{key}"
    assert fault.sentence.startswith("expected ")


def test_zero_is_no_off(load: Load) -> None:
    declaration = only(load(f"{HEAD}inbound: {{headers: {{hsts: 0s}}}}\n"))
    assert declaration.inbound.headers is not None
    assert declaration.inbound.headers.hsts is not None


@pytest.mark.parametrize("under", ["on", "off", "{limit: 5}", "fixed"])
def test_an_overlay_turns_on_and_off(load: Load, under: str) -> None:
    base = f"{HEAD}inbound: {{shed: {under}}}\n"
    for over, wanted in (("on", Shed()), ("off", None)):
        files = {"mainstay.yaml": base, "mainstay.prod.yaml": f"inbound: {{shed: {over}}}\n"}
        assert only(load(files, env="prod")).inbound.shed == wanted


@pytest.mark.parametrize("word", ["off", "false", '"${X:-off}"'])
def test_what_is_off_says_what_that_means(load: Load, word: str) -> None:
    """And is written again as it was."""
    text = f"inbound:\n  deadline: {word}\n  hosts: {word}\n  trust: {word}\n"
    declaration = only(load(HEAD + text))
    inbound = declaration.inbound
    assert (inbound.deadline_s, inbound.hosts, inbound.trust) == (math.inf, (), ())
    assert "deadline: off" in dump(declaration)
    assert only(load(dump(declaration))) == declaration
    lines = {line.key: line.value for line in explained_inbound(declaration, {})}
    assert (lines["deadline"], lines["hosts"], lines["trust"]) == ("off", "off", "off")


def test_an_overlay_takes_back_what_lies_under_it(load: Load) -> None:
    declared = "inbound: {deadline: 2s, hosts: [a.example], cors: ['https://a.example']}\n"
    over = "inbound: {deadline: off, hosts: off, cors: off}\n"
    files = {"mainstay.yaml": HEAD + declared, "mainstay.dev.yaml": over}
    inbound = only(load(files, env="dev")).inbound
    assert (inbound.deadline_s, inbound.hosts, inbound.cors) == (math.inf, (), None)


@pytest.mark.parametrize(
    ("key", "instead"), [("health", "`path`"), ("drain", "1ms"), ("errors", "as_is")]
)
def test_what_can_t_be_off_says_why_and_what_to_write(
    complain: Complain, key: str, instead: str
) -> None:
    (fault,) = complain(f"{HEAD}inbound: {{{key}: off}}\n")
    assert (fault.path, fault.line) == (f"inbound.{key}", 3)
    assert fault.sentence.startswith("can't be off: ")
    assert instead in fault.sentence


def test_nothing_below_health_is_all_of_its_defaults(load: Load) -> None:
    assert only(load(f"{HEAD}inbound:\n  health:\n")).inbound.health == Health()


def test_without_a_deadline_no_call_is_too_long(load: Load) -> None:
    text = (
        "inbound: {deadline: off}\nedge: {port: 8080, timeout: 1s}\n"
        "dependencies: {x: {url: 'http://x.example', timeout: {total: 900ms}}}\n"
    )
    assert only(load(HEAD + text)).inbound.deadline_s == math.inf
