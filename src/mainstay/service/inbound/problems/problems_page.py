"""The reference page of the problems, made from the table: docs/reference/problems.md.

Anew: ``python -c "from mainstay.service.inbound.problems import problems_page as page;
print(page.problems_page(), end='')" > docs/reference/problems.md``
"""

from mainstay.service.inbound.problems.problem_kinds import KINDS
from mainstay.spec.perimeter import PROBLEM_TYPES

_HEAD = f"""\
# Problems

Every answer that Mainstay gives in place of your app is a problem document (RFC 9457,
`application/problem+json`). Its `type` is one of these, behind `inbound.errors.types`, which is
`{PROBLEM_TYPES}` unless you declare your own. [Problem documents](../guides/problems.md) says what
is in one, and how your app's own errors become some. This page is made from the code.

| kind | status | title |
|---|---|---|
"""


def problems_page() -> str:
    """Return the page, in Markdown; each kind is a heading, and so has an anchor."""
    rows = [
        f"| [{kind}](#{kind}) | {known.status} | {known.title} |\n" for kind, known in KINDS.items()
    ]
    sections = [
        f"\n## {kind}\n`{PROBLEM_TYPES}{kind}`, status {known.status}: {known.title}.\n\n"
        f"**When.** {known.meaning}\n\n**What to do.** {known.remedy}\n"
        for kind, known in KINDS.items()
    ]
    return "".join((_HEAD, *rows, *sections))
