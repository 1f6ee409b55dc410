"""README's table of errors and its paragraph on settings have what the program has, each once."""

import re
from collections import Counter
from pathlib import Path

from accounts.models import Client
from billing_site.errors import ErrorCode

README = (Path(__file__).parent.parent / "README.md").read_text()


def rows():
    """The numbers of each row of the table, with the HTTP statuses beside them: one for all, or one for each."""
    table = README.split("| code | HTTP | when")[1].split("\n\n")[0]
    for codes, statuses in re.findall(r"^\| (-?\d[\d, ]*) \| ([\d, ]+) \|", table, re.MULTILINE):
        numbers, https = ([int(part) for part in cell.split(",")] for cell in (codes, statuses))
        yield from zip(numbers, https if len(https) > 1 else https * len(numbers), strict=True)


def test_each_error_has_one_row_with_its_status():
    named = list(rows())
    assert [number for number, times in Counter(number for number, _ in named).items() if times > 1] == []
    assert dict(named) == {code.number: code.http_status for code in ErrorCode if code.number != 0}


def test_the_paragraph_on_settings_names_columns_of_client():
    paragraph = README.split("is a column of Client, explained in the admin")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", paragraph)
    assert [name for name in named if not hasattr(Client, name)] == []
    new = {"second_person_for", "tax_categories", "missing_tax_data", "credit_unused_on_change", "credit_unused_on_end"}
    assert new <= set(named)
