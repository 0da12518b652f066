"""Who stands before an at sign: credentials of URLs, and addresses of mail."""

import re

_CREDENTIALS = re.compile(
    # A password with a slash should have been quoted, and isn't always; a port has one behind it.
    r"""(?<=//)([^\s/@:"'<>\[]{0,256}+):(?!/|\d{1,5}/)(?:[^\s/"'<>]{0,256}|[^\s"'<>]{0,256}?)@"""
)
_KEY_ALONE = re.compile(r"""(?<=//)[^\s/@:"'<>]{16,256}+@""")
"""Of a DSN. Shorter ones are names of users."""

_MAIL = re.compile(
    r"(?<![\w.%+-])(?<!://)(?!git@)[\w.%+-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}([A-Za-z]{2,24})(?![\w-])"
)
_NO_DOMAINS = frozenset(
    {
        "avif", "css", "gif", "html", "ico", "jpeg", "jpg", "js", "json", "mount", "path", "png",
        "service", "slice", "socket", "svg", "target", "timer", "ts", "webp",
    }
)  # fmt: skip
"""Endings of files and of systemd's units, which have at signs too: ``icon@2x.png``."""


def hide_people(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` instead of passwords in URLs and of addresses of mail.

    The name of a user in a URL stays where it is short: it tells which account was meant.
    """
    if "//" in text:
        text = _CREDENTIALS.sub(rf"\1:{mask}@", text)
        text = _KEY_ALONE.sub(f"{mask}@", text)
    return _MAIL.sub(
        lambda found: found[0] if found[1].lower() in _NO_DOMAINS else mask,
        text,
    )
