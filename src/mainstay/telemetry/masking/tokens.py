"""The shapes of tokens and keys that tell by themselves what they are.

A text is cut into runs of the characters that tokens are made of, and only a run that is long
enough and no plain number, hash or UUID is looked at closely. Each shape is linear in the text:
what repeats within one and may fail behind it is bounded (``test_linear.py`` counts).
"""

import re
import string

SHAPES = (
    # JSON Web Tokens and their like: base64 of `{"`, and further parts behind points.
    r"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}",
    # Amazon: ids of access keys; Google: keys, OAuth tokens and secrets.
    r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{16}",
    r"AIza[\w-]{20,}",
    r"ya29\.[\w-]{16,}",
    r"1//0[\w-]{20,}",
    r"GOCSPX-[\w-]{16,}",
    # GitHub, GitLab, package registries.
    r"gh[opsur]_[A-Za-z0-9]{16,}",
    r"github_pat_\w{16,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[\w.-]{16,}",
    r"npm_[A-Za-z0-9]{16,}",
    r"pypi-[\w-]{16,}",
    r"dckr_pat_[\w-]{16,}",
    # Chat, mail, payments, shops.
    r"xox[a-z]-[\w-]{10,}",
    r"xapp-[\w-]{10,}",
    r"SG\.[\w-]{10,}\.[\w-]{10,}",
    r"key-[0-9a-f]{32}",
    r"(?:[prs]k|whsec|rk)_(?:live_|test_)?[A-Za-z0-9]{16,}",
    r"sq0(?:atp|csp|idp)-[\w-]{16,}",
    r"EAAA[\w-]{50,}",
    r"shp(?:at|ca|pa|ss)_[A-Za-z0-9]{16,}",
    r"SK[0-9a-f]{32}",
    # Models, clouds, vaults, observers.
    r"sk-(?:[a-z]{1,16}-){0,4}[A-Za-z0-9_]{16,}[\w-]*",
    r"hf_[A-Za-z0-9]{16,}",
    r"do[oprt]_v1_[0-9a-f]{32,}",
    r"hv[bsr]\.[\w-]{16,}",
    r"dp\.[a-z]{2}\.[\w-]{16,}",
    r"dapi[0-9a-f]{32}",
    r"lin_api_[A-Za-z0-9]{16,}",
    r"(?:glsa|glc)_[\w=]{16,}",
    r"NRAK-[A-Z0-9]{20,}",
    r"PMAK-[0-9a-f-]{24,}",
    r"sntr[yu]s?_[\w=+/-]{16,}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,}",
)  # fmt: skip

_TOKEN = re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(SHAPES)})")
# Azure's shared keys and Telegram's bots begin with what could be anything.
_BOT = re.compile(r"(?<![\w:])(bot)?\d{8,10}:AA[\w-]{20,}")
_HOOK = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|webhook\.office\.com/webhookb2/|"
    r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)[\w/@.-]{8,}"
)
"""Addresses that let whoever knows them write into a chat."""

_RUN = re.compile(r"[A-Za-z0-9_.\-/+=]{16,}")
_PLAIN = re.compile(r"[0-9A-Fa-f_.:/-]+|[a-z_/.-]+").fullmatch
"""Hashes, UUIDs, dates and addresses; names in lower case. None of the shapes looks so."""

_CODE = re.compile(r"""([?&](?:code|ticket|key)=)([^&\s"'<>#]{8,})""")
"""Of a query: those of logins look like nothing else does, those of errors and coins do."""

_SCHEMES = ("bearer", "basic", "digest", "negotiate", "apikey", "token")
_SPELLED = (*(how(one) for one in _SCHEMES for how in (str, str.title, str.upper)), "ApiKey")
_WORDS = "|".join(rf"{one}(?<!\w{one})" for one in _SPELLED)
_SCHEME = re.compile(
    # Each in its three spellings, and where a word begins: said this way round, the search skips
    # to their first letters; it costs a quarter of ignoring case, and a half of beginning with \b.
    rf"({_WORDS})"
    r"([ \t]{1,4}|%20)([\w.~+/-]{8,}=*)"
)
_PROSE = re.compile(r"[A-Z]?[a-z]+(?:[_-][a-z]+)*+|\d{4}-\d\d-\d\d(?:T[\d.]*)?").fullmatch
"""Credentials of HTTP: a scheme, and what is no ordinary word; see ``hide_schemes``."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    # A block that was cut off has no end; its lines may be escaped.
    r"(?:(?!-----).)*(?:-----END [A-Z0-9 ]{0,60}-----|\Z|(?=-----))",
    re.DOTALL,
)

_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_CHARS = string.ascii_letters + string.digits + "+/=\\ \r\n"
"""Of a block's lines, whose ends may be escaped."""


def hide_tokens(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` instead of tokens and keys of known shapes."""

    def look(found: re.Match[str]) -> str:
        run = found[0]
        return run if _PLAIN(run) else _TOKEN.sub(mask, run)

    return _RUN.sub(look, text)


def hide_bots(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` instead of the tokens of chat bots, which hold a colon."""
    return _BOT.sub(rf"\g<1>{mask}", text)


def hide_hooks(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` for the part of a chat's webhook that is its credential."""
    return _HOOK.sub(rf"\g<1>{mask}", text)


def hide_codes(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` for a query's codes that have lower-case letters and digits."""

    def look(found: re.Match[str]) -> str:
        value = found[2]
        drawn = any(map(str.isdigit, value)) and any(map(str.islower, value))
        return f"{found[1]}{mask}" if drawn else found[0]

    return _CODE.sub(look, text)


def hide_private_keys(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` instead of blocks of private keys, and of parts of them."""
    text = _PRIVATE_KEY.sub(mask, text)
    pieces: list[str] = []
    taken = 0
    for end in _PRIVATE_KEY_END.finditer(text):
        # Of a text that was cut in front.
        pieces += (text[taken : end.start()].rstrip(_KEY_CHARS), mask)
        taken = end.end()
    return "".join(pieces) + text[taken:]


def hide_schemes(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` behind ``Bearer``, ``Basic`` and the other schemes of HTTP.

    ``bearer authentication`` and ``token expired`` are prose, ``token 2026-01-31T12`` is a date: a
    credential has a digit or a capital within.
    """

    def look(found: re.Match[str]) -> str:
        if _PROSE(found[3]) is not None:
            return found[0]
        return f"{found[1]}{found[2]}{mask}"

    return _SCHEME.sub(look, text)
