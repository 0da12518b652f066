"""What a browser and an app see of a session; the same laws for both wrappers."""

from collections.abc import Callable

import pytest
from tests.service.inbound.sessions.drive import NEW, OLD, Site

from mainstay.service.inbound.sessions.errors import (
    SessionClosed,
    SessionTooLarge,
    SessionValueInvalid,
)
from mainstay.service.inbound.sessions.events import SessionChangesLost, SessionUnavailable
from mainstay.service.inbound.sessions.session import Session

Make = Callable[..., Site]
COOKIE = "__Host-session"


def put(**values: object) -> Callable[[Session], object]:
    def touch(session: Session) -> object:
        session.update(values)
        return session.user

    return touch


def bind(user: str) -> Callable[[Session], object]:
    def touch(session: Session) -> None:
        session.bind(user)

    return touch


def shown(session: Session) -> object:
    return sorted(session.items())


def test_what_is_put_in_is_there_at_the_next_request(make: Make) -> None:
    site = make()
    site.ask(put(cart=[1, {"a": None}], name="é"))
    assert site.ask(shown).body == "[('cart', [1, {'a': None}]), ('name', 'é')]"


def test_a_request_that_does_not_touch_it_costs_no_call_and_no_header(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    site.records.calls.clear()
    reply = site.ask()
    assert site.records.calls == []
    assert reply.headers == []


def test_reading_is_one_call_and_keeps_nothing(make: Make) -> None:
    site = make()
    site.ask(put(a=[1]))
    site.records.calls.clear()
    reply = site.ask(lambda session: (session["a"], session.get("b"), len(session)))
    assert site.records.calls == ["load"]
    assert reply.headers == [("vary", "Cookie")]


def test_without_a_cookie_reading_is_no_call(make: Make) -> None:
    site = make()
    assert site.ask(lambda session: session.get("a")).body == "None"
    assert site.records.calls == []
    assert site.jar == {}


def test_changing_it_is_a_second_call(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    site.records.calls.clear()
    reply = site.ask(put(a=2))
    assert site.records.calls == ["load", "change"]
    assert reply.all("set-cookie") == []


def test_the_same_value_again_is_no_change(make: Make) -> None:
    site = make()
    site.ask(put(a={"x": [1.5, True]}))
    site.records.calls.clear()
    site.ask(put(a={"x": [1.5, True]}))
    assert site.records.calls == ["load"]


def test_a_change_within_a_value_is_kept(make: Make) -> None:
    site = make()
    site.ask(put(cart=[1]))
    site.ask(lambda session: session["cart"].append(2))
    assert site.ask(lambda session: session["cart"]).body == "[1, 2]"


def test_the_cookie_is_for_this_host_https_and_no_script(make: Make) -> None:
    site = make()
    reply = site.ask(put(a=1))
    (cookie,) = reply.all("set-cookie")
    value, *attributes = cookie.split("; ")
    assert value.startswith("__Host-session=")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}
    assert reply.all("cache-control") == ["no-store"]


def test_over_plain_http_it_has_neither_prefix_nor_secure(make: Make) -> None:
    site = make(secure=False, same_site="strict")
    (cookie,) = site.ask(put(a=1)).all("set-cookie")
    value, *attributes = cookie.split("; ")
    assert value.startswith("session=")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}


def test_what_the_app_says_about_caches_stays(make: Make) -> None:
    site = make()
    reply = site.ask(put(a=1), headers=(("Cache-Control", "private"), ("Vary", "Accept")))
    assert reply.all("cache-control") == ["private"]
    assert reply.all("vary") == ["Accept", "Cookie"]


def test_the_store_knows_no_id_that_could_be_used(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    value = site.jar[COOKIE]
    (name,) = site.records._rows
    assert name.digest not in value
    assert value not in repr(site.records._rows)


def test_a_removed_field_is_gone(make: Make) -> None:
    site = make()
    site.ask(put(a=1, b=2))
    site.ask(lambda session: session.pop("a"))
    assert site.ask(shown).body == "[('b', 2)]"


def test_a_cleared_session_ends_and_so_does_its_cookie(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    before = dict(site.jar)
    assert "Max-Age=0" in site.ask(lambda session: session.clear()).all("set-cookie")[0]
    assert site.jar == {}
    site.jar = before
    assert site.ask(shown).body == "[]"


def test_what_is_set_after_clearing_is_a_new_session(make: Make) -> None:
    site = make()
    site.ask(bind("ada"))
    before = dict(site.jar)

    def start_over(session: Session) -> None:
        session.clear()
        session["theme"] = "dark"

    site.ask(start_over)
    assert site.jar != before
    assert site.ask(lambda session: (session.user, dict(session))).body == (
        "(None, {'theme': 'dark'})"
    )
    site.jar = before
    assert site.ask(lambda session: session.user).body == "None"


def test_signing_in_gives_a_new_id_and_the_old_one_ends(make: Make) -> None:
    """Who planted an id before the login has nothing after it."""
    site = make()
    site.ask(put(cart=[1]))
    planted = dict(site.jar)
    site.ask(bind("ada"))
    assert site.jar != planted
    assert site.ask(lambda session: (session.user, session["cart"])).body == "('ada', [1])"
    site.jar = planted
    assert site.ask(lambda session: (session.user, dict(session))).body == "(None, {})"


def test_rotating_keeps_what_is_in_it_and_who_is_signed_in(make: Make) -> None:
    site = make()
    site.ask(bind("ada"))
    site.ask(put(a=1))
    before = dict(site.jar)
    site.ask(lambda session: session.rotate())
    assert site.jar != before
    assert site.ask(lambda session: (session.user, dict(session))).body == "('ada', {'a': 1})"
    assert len(site.records._rows) == 1


def test_all_sessions_of_a_user_end_at_once_and_no_others(make: Make) -> None:
    site = make()
    jars = {}
    for place, user in (("phone", "ada"), ("desk", "ada"), ("other", "bob")):
        site.jar = {}
        site.ask(bind(user))
        jars[place] = site.jar
    site.sessions.revoke_user("ada")
    users = {}
    for place, jar in jars.items():
        site.jar = jar
        users[place] = site.ask(lambda session: session.user).body
    assert users == {"phone": "None", "desk": "None", "other": "bob"}
    site.jar = {}
    site.ask(bind("ada"))
    assert site.ask(lambda session: session.user).body == "ada"


def test_one_session_ends_by_its_handle(make: Make) -> None:
    site = make()
    site.ask(bind("ada"))
    handle = site.ask(lambda session: session.handle).body
    site.sessions.revoke(handle)
    assert site.ask(lambda session: session.user).body == "None"


def test_a_session_that_nobody_reads_ends(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    site.clock.advance(1799)
    assert site.ask(shown).body == "[('a', 1)]"
    site.clock.advance(1799)
    assert site.ask(shown).body == "[('a', 1)]"
    site.clock.advance(1801)
    assert site.ask(shown).body == "[]"


def test_however_much_it_is_read_or_rotated_it_ends_with_its_lifetime(make: Make) -> None:
    site = make(lifetime_s=3600.0)
    site.ask(put(a=1))
    for _ in range(3):
        site.clock.advance(1100)
        site.ask(lambda session: session.rotate())
        assert site.ask(shown).body == "[('a', 1)]"
    site.clock.advance(310)
    assert site.ask(shown).body == "[]"


def test_signing_in_begins_a_new_lifetime(make: Make) -> None:
    site = make(lifetime_s=3600.0)
    site.ask(put(a=1))
    site.clock.advance(1700)
    site.ask(bind("ada"))
    site.clock.advance(1700)
    site.ask(shown)
    site.clock.advance(1700)
    assert site.ask(lambda session: session.user).body == "ada"


def test_changes_of_a_session_that_ended_meanwhile_are_lost_and_told(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    jar = dict(site.jar)

    def late(session: Session) -> None:
        session["a"] = 2
        site.records._rows.clear()

    site.ask(late)
    assert site.jar == jar
    assert site.ask(shown).body == "[]"
    assert SessionChangesLost in [type(event) for event in site.heard]


def test_keys_are_taken_over_one_after_the_other(make: Make) -> None:
    site = make(keys=(OLD,))
    site.ask(put(a=1))
    first = dict(site.jar)
    site.sessions = site.made(keys=(NEW, OLD))
    assert site.ask(shown).body == "[('a', 1)]"
    assert site.jar != first
    site.sessions = site.made(keys=(NEW,))
    assert site.ask(shown).body == "[('a', 1)]"
    site.jar = first
    assert site.ask(shown).body == "[]"


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object(), b"x", "\ud800"])
def test_a_value_that_is_no_json_is_refused_where_it_is_set(make: Make, value: object) -> None:
    site = make()
    with pytest.raises(SessionValueInvalid, match="'a'"):
        site.ask(put(a=value))
    assert site.records.calls == []


def test_a_session_has_a_bound(make: Make) -> None:
    site = make(data_bytes_max=100)
    site.ask(put(a="x" * 90))
    with pytest.raises(SessionTooLarge):
        site.ask(put(b="x" * 10))
    with pytest.raises(SessionTooLarge):
        site.ask(put(a=["x" * 110]))
    assert site.ask(list).body == "['a']"


def test_two_requests_that_fill_it_together_do_not_overfill_it(make: Make) -> None:
    site = make(data_bytes_max=100)
    site.ask(put(a="x" * 40))

    def beside(session: Session) -> None:
        session["b"] = "x" * 40
        (row,) = site.records._rows.values()
        row.fields["c"] = '"' + "x" * 40 + '"'

    with pytest.raises(SessionTooLarge):
        site.ask(beside)


def test_two_requests_that_change_different_fields_both_get_their_way(make: Make) -> None:
    site = make()
    site.ask(put(a=1, b=1, c=1))
    jar = dict(site.jar)

    def beside(session: Session) -> None:
        session["a"] = 2
        other = type(site)()
        other.records, other.jar = site.records, jar
        other.sessions = site.sessions
        in_thread(lambda: other.ask(lambda theirs: (theirs.update(b=2), theirs.pop("c"))))

    site.ask(beside)
    assert site.ask(shown).body == "[('a', 2), ('b', 2)]"


def in_thread(work: Callable[[], object]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(30)


def test_after_the_answer_began_it_can_not_be_changed(make: Make) -> None:
    site = make()
    kept: list[Session] = []

    def touch(session: Session) -> None:
        kept.append(session)
        session.get("a")

    site.ask(touch)
    with pytest.raises(SessionClosed):
        kept[0]["a"] = 1
    assert kept[0].get("a") is None


@pytest.mark.parametrize("nth", range(4))
def test_wherever_the_store_fails_the_request_is_told_and_nothing_half_done_shows(
    make: Make, nth: int
) -> None:
    """Signing in asks three times: read, make the new one, end the old one."""
    site = make()
    site.ask(put(a=1))
    jar = dict(site.jar)
    site.records.calls.clear()
    site.records.fail_at = nth
    reply = site.ask(bind("ada"))
    site.records.fail_at = None
    if nth == 3:
        assert reply.status == 200
        return
    assert (reply.status, reply.kind) == (503, "store-unavailable")
    assert site.jar == jar
    assert site.ask(lambda session: (session.user, dict(session))).body == "(None, {'a': 1})"
    assert SessionUnavailable in [type(event) for event in site.heard]


def test_a_request_that_does_not_need_it_is_answered_while_the_store_is_away(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    site.records.fail_at = len(site.records.calls)
    assert site.ask().status == 200


def test_an_app_may_do_without_it(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    site.records.fail_at = len(site.records.calls)
    reply = site.ask(shown, catches=True)
    assert (reply.status, reply.body) == (200, "sorry")


def test_a_cookie_of_another_service_is_none(make: Make) -> None:
    site = make()
    site.ask(put(a=1))
    from mainstay.service.inbound.sessions.cookie import Signer

    key = NEW.reveal().encode()
    value = site.jar[COOKIE].encode()
    assert Signer([key], "shop").verify(value) is not None
    assert Signer([key], "other").verify(value) is None
