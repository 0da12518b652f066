"""What the documents name exists: files that they link to, and those on the map of the rooms."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ROOT / "src" / "mainstay"

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/*/*.md")
    for path in ROOT.glob(pattern)
    if path.stat().st_size > 0
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    targets = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


def test_the_map_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {path.name for path in ROOMS.iterdir() if (path / "__init__.py").exists()}
    assert rooms - set(re.findall(r"^\| `(\w+)/` \|", text, flags=re.MULTILINE)) == set()


def test_the_files_to_open_first_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    table = text.partition("## Which file to open first")[2].partition("\n## ")[0]
    named = [name for name in re.findall(r"`([\w/]+\.(?:py|md))`", table) if "/" in name]
    assert len(named) >= 12
    assert [name for name in named if not ((ROOMS / name).exists() or (ROOT / name).exists())] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "design").glob("*.md")), ids=lambda p: p.stem
)
def test_modules_on_a_design_page_exist(page: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)`", page.read_text("utf-8"))
    there = [f"/{path.relative_to(ROOT)}" for path in ROOT.glob("[!.]*/**/*.py")]
    assert [name for name in named if not any(one.endswith(f"/{name}") for one in there)] == []
