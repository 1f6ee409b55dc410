"""What README and the pages in docs show is done by a test: each command and request, and what it answers."""

import re
from collections.abc import Sequence

import pytest
from django.db import connection

from tests.support.documentation import ROOT, Block, blocks_of, check_answer, key_in, run, served

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker, tmp_path_factory):
    """A server on a database that is empty but for what migrations write."""
    if connection.vendor != "sqlite":
        pytest.skip("the pages are run on SQLite")
    folder = tmp_path_factory.mktemp("documentation")
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(folder / "empty.sqlite3")])
    with served(folder, folder / "empty.sqlite3") as site:
        yield site


def follow(site, world: str, page: str, key: str = "", prepared: Sequence[Block] = ()) -> str:
    """Do what a page says in a stored world, and compare what it answers with what the page shows. Returns the client's key."""
    site.restore(site.folder / world)
    blocks = [*prepared, *blocks_of(ROOT / page)]
    printed = run(site, key, blocks)
    for block, text in zip(blocks, printed, strict=True):
        check_answer(block, text)
    return key or key_in(printed)


@pytest.fixture(scope="module")
def company(site):
    """The company that the tutorial leaves, and its key."""
    key = follow(site, "empty.sqlite3", "docs/tutorial.md")
    site.store(site.folder / "company.sqlite3")
    return key


def test_readme(site):
    follow(site, "empty.sqlite3", "README.md")


def test_each_test_that_a_page_names_exists():
    named = {
        one for page in (ROOT / "docs").rglob("*.md") for one in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text())
    }
    assert len(named) > 40
    assert [one for one in named if f"def {one[1]}(" not in (ROOT / one[0]).read_text()] == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


OTHERS = sorted(
    str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if page.name != "tutorial.md" and blocks_of(page)
)


@pytest.mark.parametrize("page", OTHERS)
def test_a_page_does_what_it_says_in_the_company_of_the_tutorial(page, site, company):
    """The requests are sent by the command `api`, which the tutorial defines."""
    (definition,) = (block for block in blocks_of(ROOT / "docs/tutorial.md") if "api()" in block.commands)
    follow(site, "company.sqlite3", page, company, [definition])
