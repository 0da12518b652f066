"""Secrets and look-alikes, made from a seed: no secret stands in this repository as a literal.

Whatever looks like a known token is put together from pieces here, so that nobody's scanner takes
it for a real one.
"""

import base64
import hashlib
import json
import string
import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from mainstay.telemetry.masking.checksums import is_luhn

LETTERS = string.ascii_letters
DIGITS = string.digits
ALNUM = LETTERS + DIGITS
UPPER = string.ascii_uppercase + DIGITS
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"


class Case(NamedTuple):
    """A field of a line, and what must not be in what is made of it.

    Attributes:
        key: Of the field.
        value: Of the field.
        secret: What may not be seen anywhere.
    """

    key: str
    value: object
    secret: str


def chars(rng: Random, alphabet: str, count: int) -> str:
    """Return random characters, with a digit and both cases as real tokens nearly always have."""
    return "a7K"[: count if alphabet in {ALNUM, URL64} else 0] + "".join(
        rng.choices(alphabet, k=count - (3 if alphabet in {ALNUM, URL64} else 0))
    )


def word(rng: Random) -> str:
    """Return a password as people make them: nothing tells that it is one."""
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(5, 9))) + str(
        rng.randint(100, 999)
    )


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def jwt(rng: Random) -> str:
    head = b64(json.dumps({"alg": "RS256", "typ": "JWT", "kid": chars(rng, HEX, 8)}))
    body = b64(json.dumps({"sub": str(rng.randint(1, 10**9)), "exp": rng.randint(1, 2**31)}))
    return f"{head}.{body}.{chars(rng, URL64, 86)}"


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in DIGITS if is_luhn(digits + last))


def card(rng: Random) -> str:
    prefix, length = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16),
         ("3530", 16), ("36", 14), ("62", 16)]
    )  # fmt: skip
    return with_check_digit(prefix + "".join(rng.choices(DIGITS, k=length - len(prefix) - 1)))


def spaced_card(rng: Random) -> str:
    digits = with_check_digit("4" + "".join(rng.choices(DIGITS, k=14)))
    gap = rng.choice(" -")
    return gap.join(digits[at : at + 4] for at in range(0, 16, 4))


def iban(rng: Random) -> str:
    country, length = rng.choice([("DE", 22), ("FR", 27), ("NL", 18), ("ES", 24), ("NO", 15)])
    account = "".join(rng.choices(DIGITS, k=length - 4))
    if country == "NL":
        account = "ABNA" + account[4:]
    remainder = int("".join(str(int(char, 36)) for char in f"{account}{country}00")) % 97
    return f"{country}{98 - remainder:02d}{account}"


def spaced_iban(rng: Random) -> str:
    number = iban(rng)
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def mail(rng: Random) -> str:
    name = rng.choice(["alice", "bob.smith", "c_d", "o'neil", "erika+shop", "jürgen", "x"])
    domain = rng.choice(["example.org", "mail.example.co.uk", "firma.example", "x-y.test"])
    return f"{name}{rng.randint(1, 99)}@{domain}"


def private_key(rng: Random) -> str:
    kind = rng.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
    lines = "\n".join(chars(rng, ALNUM + "+/", 64) for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE{' '}KEY-----\n{lines}\n-----END {kind}PRIVATE{' '}KEY-----"


TOKENS: dict[str, Callable[[Random], str]] = {
    "jwt": jwt,
    "aws": lambda rng: "AK" + "IA" + chars(rng, UPPER, 16),
    "aws_temporary": lambda rng: "AS" + "IA" + chars(rng, UPPER, 16),
    "google": lambda rng: "AI" + "za" + chars(rng, URL64, 35),
    "google_oauth": lambda rng: "ya" + "29." + chars(rng, URL64, 60),
    "google_client": lambda rng: "GOC" + "SPX-" + chars(rng, URL64, 28),
    "github": lambda rng: rng.choice(["ghp", "gho", "ghs"]) + "_" + chars(rng, ALNUM, 36),
    "github_fine": lambda rng: "github_" + "pat_" + chars(rng, ALNUM, 82),
    "gitlab": lambda rng: "gl" + "pat-" + chars(rng, URL64, 20),
    "slack": lambda rng: "xo" + rng.choice("xo")[:0] + "xb-" + "-".join(
        [chars(rng, DIGITS, 12), chars(rng, DIGITS, 12), chars(rng, ALNUM, 24)]
    ),
    "stripe": lambda rng: rng.choice(["sk", "rk"]) + "_live_" + chars(rng, ALNUM, 24),
    "stripe_hook": lambda rng: "wh" + "sec_" + chars(rng, ALNUM, 32),
    "npm": lambda rng: "np" + "m_" + chars(rng, ALNUM, 36),
    "pypi": lambda rng: "py" + "pi-" + chars(rng, URL64, 80),
    "sendgrid": lambda rng: "S" + "G." + chars(rng, URL64, 22) + "." + chars(rng, URL64, 43),
    "openai": lambda rng: "sk" + "-proj-" + chars(rng, ALNUM, 48),
    "vault": lambda rng: "hv" + "s." + chars(rng, URL64, 28),
    "huggingface": lambda rng: "h" + "f_" + chars(rng, LETTERS, 34),
    "digitalocean": lambda rng: "dop" + "_v1_" + chars(rng, HEX, 64),
    "shopify": lambda rng: "shp" + "at_" + chars(rng, HEX, 32),
    "telegram": lambda rng: chars(rng, DIGITS, 9) + ":A" + "A" + chars(rng, URL64, 33),
    "private_key": private_key,
    "card": card,
    "spaced_card": spaced_card,
    "iban": iban,
    "spaced_iban": spaced_iban,
    "mail": mail,
}  # fmt: skip
"""What shows by its shape that it is nobody's business."""

SECRET_KEYS = (
    "password", "PASSWORD", "passwd", "pwd", "userPassword", "db_password", "PGPASSWORD",
    "password2", "new-password", "passwordHash", "secret", "client_secret", "clientSecret",
    "SECRET_KEY", "aws_secret_access_key", "token", "access_token", "refreshToken", "id-token",
    "X-Auth-Token", "csrf_token", "authorization", "Authorization", "Proxy-Authorization", "cookie",
    "Set-Cookie", "session_cookie", "api_key", "apiKey", "X-API-Key", "APIKEY", "private_key",
    "signing_key", "encryptionKey", "credentials", "passphrase", "jsessionid", "session_id", "otp",
    "pin", "cvv", "cvc2", "ssn", "social_security_number", "card_number", "iban", "dsn",
    "connection_string", "webhook_secret", "jwt", "recovery_codes", "date_of_birth", "db_pass",
    "SMTP_PASS", "dbpass", "sid", "sig", "code_verifier", "id_token_hint", "auth_code", "passwort",
    "X-Functions-Key", "X-Session", "Ocp-Apim-Subscription-Key", "Cf-Access-Jwt-Assertion",
)  # fmt: skip

PLAIN_KEYS = (
    "token_count", "tokens", "max_tokens", "prompt_tokens", "password_length",
    "password_changed_at",
    "passwordPolicy", "secret_name", "secretVersion", "monkey", "keyboard", "key", "author",
    "authored_at", "authority", "passport_control_name", "passenger", "compass", "cookie_policy",
    "cookies_accepted", "session", "session_count", "tokenizer", "token_type",
    "authorization_status",
    "primary_key", "partition_key", "foreign_key", "cache_key", "pinned", "shipping", "spin",
    "opinion", "secretary", "turkey", "keyword", "public_key_id", "card_type", "card_brand",
    "signature_valid", "expand", "span", "panel", "api_key_count", "private", "access", "account",
    "api_version", "code", "status_code", "country_code", "zip_code", "birthplace",
    "next_token", "page_token", "total_token", "secret_arn", "password_hash_rounds", "first_pass",
    "account_sid", "X-Idempotency-Key", "X-Cache-Key", "bypass", "passes", "assigned", "design",
)  # fmt: skip


def in_texts(rng: Random, secret: str) -> list[object]:
    """Return what a secret of a known shape may stand in."""
    return [
        secret,
        f"request failed with {secret}, giving up",
        f"GET /orders/{rng.randint(1, 99)}?ref={secret}&page=2",
        {"items": [{"note": f"see {secret}"}]},
        ["a", ("b", secret), {secret: 3}],
        ValueError(f"could not use {secret!r}"),
        f'{{"note": "{secret}"}}',
        f"line one\n{secret}\nline three",
        f"({secret})",
        secret.encode(),
    ]


def beside_keys(rng: Random, key: str, secret: str) -> list[object]:
    """Return what a password may stand in, which only its key tells."""
    return [
        {key: secret},
        {"user": {"deep": {key: [secret, secret]}}},
        json.dumps({"user": "alice", key: secret, "n": 1}),
        json.dumps(json.dumps({key: secret})),
        f"{key}={secret}",
        f"{key}: {secret}",
        f"user=alice {key}={secret} host=db",
        f"https://shop.example/login?{key}={secret}&next=/",
        repr({"a": 1, key: secret}),
        f"{key} = '{secret}'",
        f"User(name='a', {key}=Token('{secret}'), age=3)",
        RuntimeError(f"bad config: {key}={secret!r} at line 3"),
        [(key.encode(), secret.encode())],
        repr([(key.encode(), secret.encode())]),
        f"--{key} {secret}" if not key.startswith("--") else "",
        f"<{key}>{secret}</{key}>",
        f"<{key} type='text'><![CDATA[{secret}]]></{key}>",
        json.dumps({"body": json.dumps({"inner": json.dumps({key: secret})})}),
        json.dumps({key: {"inner": {"id": 1}, "blob": secret}}),
        [{"name": key, "value": secret}],
        json.dumps([{"name": key, "value": secret}]),
        f"1 validation error for User\n{key}\n  N [type=x, input_value={secret!r}, input_type=str]",
        f"DETAIL:  Key ({key})=({secret}) already exists.",
        f"Duplicate entry '{secret}' for key 'users.{key}'",
        f"INSERT INTO users (name, {key}) VALUES ('a', '{secret}')",  # noqa: S608  Nobody runs it.
    ]


def transports(rng: Random, secret: str) -> list[object]:
    """Return what credentials may stand in without a key."""
    pair = base64.b64encode(f"alice:{secret}".encode()).decode()
    return [
        f"postgresql://app:{secret}@db.internal:5432/shop?sslmode=require",
        f"redis://:{secret}@cache:6379/0",
        f"could not connect to amqp://app:{secret}@queue/%2F: refused",
        ConnectionError(f"https://bob:{secret}@api.example.org/v1 timed out"),
        f"https://{chars(rng, HEX, 20)}{secret}@errors.example.org/17",
        f"Authorization: Bearer {secret}X9=",
        {"headers": {"authorization": f"Bearer {secret}"}},
        f"sent Bearer {secret}Q7",
        f"curl -H 'Cookie: sid={secret}; theme=dark'",
        f"Set-Cookie: sid={secret}; HttpOnly; Path=/",
        f"mysql --user=app --password={secret} shop",
        f'Authorization: Digest username="a", response="{secret}"',
        f"{rng.choice(['Basic', 'basic'])} {pair[:-2]}{secret}",
        f"(sqlite3.OperationalError) no such table\n[SQL: SELECT ?]\n[parameters: ({secret!r},)]",
        f"ALTER USER app WITH PASSWORD '{secret}'",
        f"DETAIL:  Failing row contains (7, alice, {secret}, null).",
        f"https://shop.example/callback?code={secret}x1&state=1",
        "POST https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/" + secret,
        f"could not reach postgresql://app:{secret}/{secret}@db/shop",
    ]


def secrets(seed: int, count: int) -> Iterator[Case]:
    """Yield fields with secrets and personal data: by key, by shape, within anything."""
    rng = Random(seed)
    kinds = list(TOKENS)
    for number in range(count):
        way = number % 4
        if way == 0:
            secret = word(rng)
            yield Case(SECRET_KEYS[number // 4 % len(SECRET_KEYS)], secret, secret)
        elif way == 1:
            secret = TOKENS[kinds[number // 4 % len(kinds)]](rng)
            yield Case("note", rng.choice(in_texts(rng, secret)), secret)
        elif way == 2:
            secret = word(rng)
            key = SECRET_KEYS[number // 4 % len(SECRET_KEYS)]
            yield Case("detail", rng.choice(beside_keys(rng, key, secret)), secret)
        else:
            secret = word(rng)
            yield Case("detail", rng.choice(transports(rng, secret)), secret)


def failing_luhn(rng: Random) -> str:
    digits = rng.choice("3456") + "".join(rng.choices(DIGITS, k=14))
    return next(digits + last for last in DIGITS if not is_luhn(digits + last))


LOOK_ALIKES: dict[str, Callable[[Random], object]] = {
    "uuid": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "uuid_value": lambda rng: uuid.UUID(int=rng.getrandbits(128), version=4),
    "sha256": lambda rng: hashlib.sha256(rng.randbytes(8)).hexdigest(),
    "sha1": lambda rng: f"commit {rng.getrandbits(160):040x} merged",
    "trace_id": lambda rng: f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01",
    "order_16": failing_luhn,
    "order_16_number": lambda rng: int(failing_luhn(rng)),
    "order_named": lambda rng: f"order-{failing_luhn(rng)} placed",
    "millis": lambda rng: rng.randint(1_500_000_000_000, 1_900_000_000_000),
    "micros": lambda rng: f"at {rng.randint(1_500_000_000_000_000, 1_900_000_000_000_000)} us",
    "nanos": lambda rng: rng.randint(1_500_000_000_000_000_000, 1_900_000_000_000_000_000),
    "timestamp": lambda rng: (
        f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T12:30:00.123Z"
    ),
    "clock": lambda rng: f"next run at {rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:07",
    "compact_time": lambda rng: f"2026{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}123000",
    "version": lambda rng: f"v{rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 99)}-rc.1",
    "price": lambda rng: f"EUR {rng.randint(1, 999)}.{rng.randint(0, 99):02d}",
    "decimal": lambda rng: f"0.{failing_luhn(rng)}",
    "float": lambda rng: rng.random() * 1e6,
    "url": lambda rng: f"https://shop.example:8443/orders/{rng.randint(1, 999)}?page=2&sort=name",
    "git": lambda rng: f"git@github.example:org/repo{rng.randint(1, 99)}.git",
    "image": lambda rng: f"registry.example/shop@sha256:{rng.getrandbits(256):064x}",
    "retina": lambda rng: f"icon{rng.randint(1, 99)}@2x.png",
    "unit": lambda rng: f"getty@tty{rng.randint(1, 9)}.service failed",
    "package": lambda rng: f"@scope/package@{rng.randint(1, 9)}.2.3",
    "database": lambda rng: f"postgresql://app@db{rng.randint(1, 9)}.internal/shop",
    "expired": lambda rng: f"token: expired {rng.randint(1, 99)} s ago",
    "bearer_prose": lambda rng: f"bearer authentication failed {rng.randint(1, 9)} times",
    "count": lambda rng: f"token_count={rng.randint(1, 9999)} max_tokens: {rng.randint(1, 9999)}",
    "keys": lambda rng: f"primary_key={rng.randint(1, 9999)} author: ann{rng.randint(1, 99)}",
    "sku": lambda rng: f"SKU-{chars(rng, UPPER, 4)}-{chars(rng, UPPER, 4)}",
    "address": lambda rng: f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.7:5432",
    "ipv6": lambda rng: f"2001:db8::{rng.randint(1, 9999):x}:1",
    "mac": lambda rng: ":".join(f"{rng.randint(0, 255):02x}" for _ in range(6)),
    "path": lambda rng: f"/usr/lib/python3.12/site-packages/package{rng.randint(1, 99)}/module.py",
    "camel": lambda rng: f"com.example.InternationalizationHandler{rng.randint(1, 99)}",
    "snake": lambda rng: f"recalculate_inventory_of_warehouse_{rng.randint(1, 99)}",
    "prose": lambda rng: f"the author's monkey keeps a passport for {rng.randint(1, 9)} keys",
    "phone_like": lambda rng: f"ticket 2026 0001 {rng.randint(1000, 9999)}",
    "traceback": lambda rng: f'File "/srv/app/orders.py", line {rng.randint(1, 999)}, in place',
    "unexpected": lambda rng: f"unexpected token: word{rng.randint(1, 99)}",
    "took": lambda rng: f"auth: {rng.randint(1, 99)}ms",
    "scheme": lambda rng: f"auth=ldap for tenant {rng.randint(1, 99)}",
    "key_detail": lambda rng: f"DETAIL:  Key (id)=({rng.randint(1, 99)}) already exists.",
    "validation": lambda rng: (
        f"1 validation error for Item\namount\n  Not whole [type=x, input_value={rng.random()}, "
        "input_type=float]"
    ),
    "insert": lambda rng: f"INSERT INTO orders (state) VALUES ('open{rng.randint(1, 99)}')",  # noqa: S608  As above.
    "named": lambda rng: f"[parameters: {{'state': 'open{rng.randint(1, 99)}'}}]",
    "error_code": lambda rng: f"https://shop.example/oops?code=E_{rng.randint(400, 599)}&page=1",
    "filter": lambda rng: f"token_type, key WHERE id = {rng.randint(1, 999)}",
}


def look_alikes(seed: int, count: int) -> Iterator[tuple[str, object]]:
    """Yield fields that hold no secret and must stay as they are."""
    rng = Random(seed)
    kinds = list(LOOK_ALIKES)
    for number in range(count):
        if number % 5 == 0:
            yield PLAIN_KEYS[number // 5 % len(PLAIN_KEYS)], f"value-{rng.randint(1, 999)}"
        else:
            yield "note", LOOK_ALIKES[kinds[number % len(kinds)]](rng)
