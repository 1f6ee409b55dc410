"""The reference pages have what the program has, each once."""

import re
from collections import Counter

import pytest
from django.core.management import get_commands

from billing_site.errors import ErrorCode
from rebills.roles import ROLES
from tests.reference_tables import TABLE, TABLES, pages_with_tables, with_tables
from tests.support.documentation import ROOT

REFERENCE = ROOT / "docs" / "reference"


def table_of_errors():
    """The numbers of each row of the table, with the HTTP statuses beside them: one for all, or one for each."""
    text = (REFERENCE / "errors.md").read_text()
    for codes, statuses in re.findall(r"^\| (-?\d[\d, ]*) \| ([\d, ]+) \|", text, re.MULTILINE):
        numbers, https = ([int(part) for part in cell.split(",")] for cell in (codes, statuses))
        yield from zip(numbers, https if len(https) > 1 else https * len(numbers), strict=True)


def test_each_error_has_one_row_with_its_status():
    named = list(table_of_errors())
    assert [number for number, times in Counter(number for number, _ in named).items() if times > 1] == []
    assert dict(named) == {code.number: code.http_status for code in ErrorCode if code.number != 0}


@pytest.mark.parametrize("page", pages_with_tables(), ids=lambda page: page.name)
def test_a_table_that_the_code_knows_is_as_the_code_has_it(page):
    """If this fails, run `make reference`."""
    assert page.read_text() == with_tables(page.read_text())


def test_every_table_that_can_be_written_is_on_one_page():
    assert sorted(found[1] for page in pages_with_tables() for found in TABLE.findall(page.read_text())) == sorted(TABLES)


def test_every_variable_that_the_settings_read_has_a_row_and_no_other():
    settings = (ROOT / "billing_site" / "settings.py").read_text()
    read = set(re.findall(r'(?:environ\.get|env_bool|env_list)\(\s*"(\w+)"', settings)) | {"DATABASE_URL"}
    section = (REFERENCE / "settings.md").read_text().split("## Environment")[1].split("## Client")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    assert sorted(name for cell in rows for name in re.findall(r"`(\w+)`", cell)) == sorted(read)


def test_every_command_of_the_program_has_a_row_and_no_other():
    ours = {name for name, app in get_commands().items() if app in {"accounts", "invoices", "rebills"}}
    named = set(re.findall(r"^\| `manage\.py (\w+)", (REFERENCE / "commands.md").read_text(), re.MULTILINE))
    assert named == ours


def test_every_target_of_make_is_named_among_the_commands():
    (targets,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets.split()) == set(re.findall(r"`make ([a-z]+)", (REFERENCE / "commands.md").read_text()))


def test_every_role_has_a_row_of_words():
    words = (REFERENCE / "roles.md").read_text().split("| role | may |")[1].split("\n\n")[0]
    assert re.findall(r"^\| (\w+) \|", words, re.MULTILINE) == list(ROLES)


def test_every_file_that_architecture_contributing_and_decisions_name_is_there():
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md", *(ROOT / "docs" / "decisions").glob("*.md")]
    named = {(page.name, path) for page in pages for path in re.findall(r"`([\w.]+/[\w./]*|\w+\.py)`", page.read_text())}
    modules = {file.name for app in ("accounts", "billing_site", "invoices", "rebills") for file in (ROOT / app).rglob("*.py")}
    assert sorted((page, path) for page, path in named if path not in modules and not (ROOT / path).exists()) == []


def test_every_link_of_the_pages_outside_the_site_leads_somewhere():
    """MkDocs checks the links of the site."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text())}
    assert sorted(f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()) == []
