"""The documents name only files, settings and endpoints that exist, and every section that the code cites exists."""

import re
from pathlib import Path

import pytest

from clay_push_service import __version__
from clay_push_service.settings import PREFIX, UNPREFIXED, Settings
from tests.support.description import described

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src/clay_push_service"
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`([\w./{}-]+)`")
SUFFIXES = {".py", ".md", ".toml", ".yml", ".yaml", ".ini", ".sql", ".html", ".lock"}
ROUTE = re.compile(r"`?(?:(?:GET|POST|PUT|DELETE)[ ,`]+)*(/api/[\w/{}.-]*[\w}])`?")
ROUTES_OF_HOST = {"/api/integrations"}
"""Prefixes that documents use for groups of routes."""

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def heading_anchors(page: str) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_links_point_to_existing_files_and_headings(path: Path) -> None:
    for link in LINK.findall(path.read_text()):
        if link.startswith("http"):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        if anchor:
            assert anchor in heading_anchors(file.read_text()), link


@documents
def test_files_that_documents_name_exist(path: Path) -> None:
    """A path is relative to the repository or to the package; a bare name must be a file somewhere in the repository."""
    for name in NAME.findall(path.read_text()):
        is_directory = name.endswith("/") and "/" in name[:-1] and not name.startswith("/")
        if Path(name).suffix not in SUFFIXES and not is_directory:
            continue
        if "{" in name or name.startswith(("/", ".")):
            continue
        found = (REPOSITORY / name).exists() or (PACKAGE / name).exists()
        if not found and "/" not in name:
            found = any(
                any((REPOSITORY / folder).rglob(name)) for folder in ("src", "tests", "deploy", "ops", "alembic")
            )
        assert found, f"`{name}` does not exist"


@documents
def test_routes_that_documents_name_exist(path: Path) -> None:
    routes = set(described()["paths"])
    shapes = {re.sub(r"{\w+}", "{}", route) for route in routes}
    for route in ROUTE.findall(path.read_text()):
        if "{" not in route and any(known.startswith(route) for known in routes | ROUTES_OF_HOST):
            continue
        shape = re.sub(r"{\w+}", "{}", route)
        assert any(known.startswith(shape) for known in shapes) or not route.startswith("/api/clay"), route


def test_configuration_page_lists_every_setting() -> None:
    page = (REPOSITORY / "docs/configuration.md").read_text()
    names = {(name if name in UNPREFIXED else PREFIX + name).upper() for name in Settings.model_fields}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_citations_of_the_feature_document_have_a_section() -> None:
    page = (REPOSITORY / "docs/feature-document.md").read_text()
    sections = "\n".join(re.findall(r"^## .*$", page, re.MULTILINE))
    cited: set[str] = set()
    for file in [*PACKAGE.rglob("*.py"), *(REPOSITORY / "tests").rglob("*.py")]:
        cited |= set(re.findall(r"feature document'?s?,? (?:'s )?section (\d+(?:\.\d+)?)", file.read_text()))
    assert cited
    missing = {number for number in cited if not re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", sections)}
    assert missing == set()


def test_the_readme_has_at_most_120_lines() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 120


def test_the_version_is_written_in_one_file() -> None:
    assert __version__ not in (REPOSITORY / "pyproject.toml").read_text().partition("dependencies")[0]
    assert described()["info"]["version"] == __version__
