import re
from pathlib import Path

from mainstay.edge.envoy.problems import OTHER, PROBLEMS, URN, local_replies

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "edge-errors.md"


def test_problems_of_one_status_are_told_apart_by_their_flags() -> None:
    """The first that fits is taken, so the one without flags must come last."""
    for status in {problem.status for problem in PROBLEMS}:
        flags = [problem.flags for problem in PROBLEMS if problem.status == status]
        assert all(flags[:-1]), status
        assert flags[-1] == (), status
        named = [flag for some in flags for flag in some]
        assert len(named) == len(set(named))


def test_only_an_unavailable_service_invites_to_come_back() -> None:
    mappers = local_replies()["mappers"]
    assert isinstance(mappers, list)
    for problem, mapper in zip(PROBLEMS, mappers, strict=True):
        assert ("headers_to_add" in mapper) == (problem.status == 503)


def test_the_reference_lists_exactly_what_the_edge_answers() -> None:
    listed = re.findall(rf"^\| `{URN}([a-z-]+)` \| (\d+|any) \|", DOCS.read_text(), re.MULTILINE)
    expected = [(problem.name, str(problem.status)) for problem in PROBLEMS]
    assert listed == [*expected, (OTHER.name, "any")]
