"""Errors as libraries really raise them: what they tell of a secret, and what stays readable."""

import json
from collections.abc import Callable

import httpx
import psycopg
import pydantic
import pytest
import sqlalchemy as sa

from mainstay.telemetry.masking import Masker
from mainstay.telemetry.trail import trail_of

SECRET = "hunter2Zx9Q"
TELEGRAM = "123456789:AA" + "HdqTcvCH1vGWJxfSeofSAs0K5PALDsawx"


class User(pydantic.BaseModel):
    name: str
    password: int


class Team(pydantic.BaseModel):
    users: list[User]


users = sa.Table(
    "users", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("password")
)


def raised(call: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011  Each library has its own.
        call()
    return caught.value


def in_database(statement: object, values: object) -> Callable[[], object]:
    def call() -> None:
        engine = sa.create_engine("sqlite://")
        try:
            with engine.connect() as connection:
                if isinstance(statement, str):
                    connection.exec_driver_sql(statement, values)  # type: ignore[arg-type]  # As drivers take them.
                else:
                    connection.execute(statement, values)  # type: ignore[call-overload]  # Likewise.
        finally:
            engine.dispose()

    return call


def answered(url: str) -> Callable[[], object]:
    return lambda: httpx.Response(404, request=httpx.Request("GET", url)).raise_for_status()


RAISED: dict[str, Callable[[], object]] = {
    "pydantic": lambda: User(name="a", password=SECRET),  # type: ignore[arg-type]  # That is the fault.
    "pydantic, nested": lambda: Team.model_validate(
        {"users": [{"name": "a", "password": SECRET}]}
    ),
    "pydantic, missing": lambda: User.model_validate({"password": SECRET}),
    "pydantic, many": lambda: User.model_validate({"password": SECRET + ", input_type=str] x"}),
    "sqlalchemy, positions": in_database("INSERT INTO users (password) VALUES (?)", (SECRET,)),
    "sqlalchemy, names": in_database(
        sa.text("INSERT INTO x VALUES (:password)"), {"password": SECRET}
    ),
    "sqlalchemy, many": in_database(users.insert(), [{"password": SECRET}, {"password": SECRET}]),
    "sqlalchemy, literal": in_database(f"INSERT INTO users (password) VALUES ('{SECRET}')", ()),  # noqa: S608  That is the fault.
    "sqlalchemy, url": lambda: sa.create_engine(f"nope://app:{SECRET}/x@db/shop"),
    "httpx, query": answered(f"https://shop.example/cb?code={SECRET}&sid={SECRET}&page=2"),
    "httpx, signature": answered(f"https://x.blob.example/c?sv=2022&se=2026&sig={SECRET}%3D"),
    "httpx, user": answered(f"https://app:{SECRET}@shop.example/orders"),
    "psycopg, words": lambda: psycopg.conninfo.make_conninfo(f"password={SECRET} nope=1"),
    "json": lambda: json.loads(f'{{"password": "{SECRET}"}} {SECRET}'[:30]),
}  # fmt: skip


@pytest.mark.parametrize("name", RAISED)
def test_no_error_of_a_library_tells_a_secret(name: str) -> None:
    error = raised(RAISED[name])
    for text in (str(error), repr(error), json.dumps(str(error)), trail_of(error)):
        assert SECRET not in Masker().text(text)


def test_most_of_these_errors_would_tell_it() -> None:
    """Else the test above would prove little."""
    telling = [name for name, call in RAISED.items() if SECRET in str(raised(call))]
    assert len(telling) >= len(RAISED) - 4


def test_a_bots_token_is_hidden_where_it_stands_in_the_address() -> None:
    text = str(raised(answered(f"https://api.telegram.org/bot{TELEGRAM}/getMe")))
    assert TELEGRAM in text
    shown = Masker().text(text)
    assert "https://api.telegram.org/bot***/getMe" in shown


def test_what_is_no_secret_stays_in_the_same_errors() -> None:
    class Item(pydantic.BaseModel):
        amount: int

    error = str(raised(lambda: Item(amount="many")))  # type: ignore[arg-type]  # That is the fault.
    assert Masker().text(error) == error
    named = "[SQL: SELECT :state]\n[parameters: {'state': 'open'}]\n(Background on this error)"
    assert Masker().text(named) == named


TOLD = {
    "DETAIL:  Key (api_token)=(hunter22) already exists.":
        "DETAIL:  Key (api_token)=(***) already exists.",
    "DETAIL:  Key (team, token)=(7, hunter22) already exists.":
        "DETAIL:  Key (team, token)=(***) already exists.",
    "DETAIL:  Key (lower(password))=(a) already exists) already exists.":
        "DETAIL:  Key (lower(password))=(***) already exists.",
    "DETAIL:  Failing row contains (7, alice, hunter22, null).":
        "DETAIL:  Failing row contains (***).",
    "Duplicate entry 'hunter22' for key 'users.api_token'":
        "Duplicate entry '***' for key 'users.api_token'",
    "ALTER USER app WITH PASSWORD 'hunter22' VALID": "ALTER USER app WITH PASSWORD '***' VALID",
    "CREATE USER app IDENTIFIED BY 'hunter22'": "CREATE USER app IDENTIFIED BY '***'",
    "INSERT INTO users (name, password) VALUES ('al', 'hunter22')":
        "INSERT INTO users (name, password) VALUES ('***', '***')",
    "[generated in 0.00012s] ('hunter22', 7)": "[generated in 0.00012s] ***",
    "[{'type': 'int', 'loc': ('body', 'password'), 'msg': 'no', 'input': 'hunter22'}]":
        "[{'type': 'int', 'loc': ('body', 'password'), 'msg': 'no', 'input': '***'}]",
    '{"credentials": {"aws": {"id": 1}, "blob": "hunter22"}, "n": 1}':
        '{"credentials": ***, "n": 1}',
    '{"a": "{\\"b\\": \\"{\\\\\\"password\\\\\\": \\\\\\"hunter22\\\\\\"}\\"}"}':
        '{"a": "{\\"b\\": \\"{\\\\\\"password\\\\\\": \\\\\\"***\\\\\\"}\\"}"}',
    "POST https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdEFGH1234 failed":
        "POST https://hooks.slack.com/services/*** failed",
    "db_pass=hunter22 smtp_pass: hunter22 sid=hunter22": "db_pass=*** smtp_pass: *** sid=***",
    "password=hun&ter22 next": "password=*** next",
    "self.password = f'hunter22'": "self.password = f'***'",
    "<Password type='x'>hunter22</Password>": "<Password type='x'>***</Password>",
    "<password><![CDATA[hunter22]]></password>": "<password>***</password>",
    "mail juan@firma.com.py and team@notion.so": "mail *** and ***",
    "postgresql://app:hun/ter22@db/shop": "postgresql://app:***@db/shop",
}  # fmt: skip


@pytest.mark.parametrize("text", TOLD)
def test_values_far_from_their_names_are_hidden_and_nothing_else(text: str) -> None:
    assert Masker().text(text) == TOLD[text]


KEPT = (
    "DETAIL:  Key (id)=(7) already exists.", "Duplicate entry '7' for key 'orders.PRIMARY'",
    "INSERT INTO orders (state) VALUES ('open')", "unexpected token: foo", "next_token=abc",
    "page_token=abc", "auth: 12ms", "auth=ldap", "authorization=allowed", "Basic usage_example x",
    "Bearer capability-check", "token 2026-01-31T12:00:00", "password: ********",
    "first_pass=ok", "boarding_pass: A17", "account_sid=AC17", "https://shop.example/e?code=E_404",
    "https://shop.example:8443/u/17", "icon@2x.png", "getty@tty1.service", "message_key: 17",
    "if token == expected: return", "[1] (a, b)", "the key (a thing) opens", "by 'name' order",
    "dd=s:2;o:rum,congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "pip install pyjwt==2.8.0",
    "name: Accept value: text/html", "<token/> <a href='x'>text</a>",
    "session.rollback() was called",
)  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_what_looks_alike_stays(text: str) -> None:
    assert Masker().text(text) == text
