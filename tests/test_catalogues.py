"""Every text of pages and statements is marked and has a translation with the same parts."""

import re

import pytest

from accounts.kinds import RateModel
from accounts.rights import KEY_RIGHTS
from billing_site.catalogues import ROOT, catalogues, extracted, read_catalogue
from billing_site.common.languages import in_english
from billing_site.errors import ErrorCode
from invoices.fingerprints import CORRECTION, TAX_BASIS
from invoices.kinds import NOUNS, OPEN_ATTEMPTS, ActState, InvoiceStatus, ReasonType, RunState
from invoices.plan.actions import CREDIT_ENTRIES
from invoices.services.lists.event_names import NAMES
from rebills.plan import SEEN_PARTS
from tests.support.marked_texts import (
    details_in,
    marked_acts,
    unmarked_details,
    unmarked_in_module,
    unmarked_in_python,
    unmarked_in_template,
    unmarked_in_templates,
)

PARTS = re.compile(r"%\(\w+\)[sd]|%%|%[sd]|\{\w+\}|</?\w+>|`")
"""What a translation must have as the text has it: places for values, and tags."""


@pytest.fixture(scope="module", params=catalogues(), ids=lambda path: path.parent.parent.name)
def catalogue(request):
    return read_catalogue(request.param)


@pytest.fixture(scope="module")
def texts():
    return extracted()


def forms(message):
    """The text or its plural forms, each with its translation."""
    many = isinstance(message.id, tuple | list)
    return list(zip(message.id, message.string, strict=True)) if many else [(message.id, message.string)]


def test_a_catalogue_has_the_texts_of_the_program_and_no_others(catalogue, texts):
    """If this fails, run `make messages` and translate what it has added."""
    kept, found = ({(message.id, message.context) for message in one if message.id} for one in (catalogue, texts))
    assert (found - kept, kept - found) == (set(), set())


def test_every_text_is_translated(catalogue):
    assert [text for message in catalogue if message.id for text, translation in forms(message) if not translation] == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_a_translation_has_the_parts_of_its_text(catalogue):
    different = [
        (text, translation)
        for message in catalogue
        if message.id
        for text, translation in forms(message)
        if sorted(PARTS.findall(text)) != sorted(PARTS.findall(translation))
    ]
    assert different == []


def test_the_message_of_an_error_has_as_many_sentences_in_each_language(catalogue):
    """The detail of a refusal stands after the first one."""
    messages = {code.message for code in ErrorCode}
    different = [one.id for one in catalogue if one.id in messages and (". " in one.id) != (". " in one.string)]
    assert different == []


def test_every_text_of_a_template_is_marked():
    assert unmarked_in_templates() == []


def test_every_text_that_python_shows_on_pages_is_marked():
    assert unmarked_in_python() == []


def test_an_unmarked_text_is_found():
    template = '<p title="Hello there">{% trans "Marked" %} loose {{ value }}</p>{% blocktrans %}In {{ x }}{% endblocktrans %}'
    assert unmarked_in_template(template) == ["Hello there", "loose"]
    module = "messages.error(request, 'It failed')\nlabel = _('Marked')\nfield = CharField(help_text=f'Of {x}')"
    assert list(unmarked_in_module(module)) == ["It failed", "Of  "]


def test_every_detail_of_a_refusal_is_marked():
    assert unmarked_details() == []


def test_an_unmarked_detail_is_found():
    module = """
def act(number, why: str, known: Detail):
    detail = f"invoice {number} is open" if number else "none"
    raise BillingError(X, detail, field="a")
    raise BillingError(X, Detail("invoice {number} is open", number=number))
    raise BillingError(X, why) or BillingError(X, known) or BillingError(X, str(number)) or BillingError(X)
    raise Refusal(X, "is " + number, None, "void it first")
    Detail(why) or Detail("{number} is open", numbers=number)
"""
    assert sorted(details_in(module)) == [
        (4, "f'invoice {number} is open' if number else 'none'"),
        (6, "why"),
        (7, "'is ' + number"),
        (7, "'void it first'"),
        (8, "Detail('{number} is open', numbers=number)"),
        (8, "Detail(why)"),
    ]


def test_the_words_in_details_have_translations(catalogue):
    """Statuses and the like are words of fixed lists, so nothing in the code marks each of them where it is used."""
    words = {str(value) for kind in (InvoiceStatus, ActState, RateModel) for value in kind.values}
    words |= {status.value for status in OPEN_ATTEMPTS} | {*NOUNS.values()}
    words |= {in_english(state.label).lower() for state in RunState} | {in_english(type.label) for type in ReasonType}
    words |= {right.replace("_", " ") for right in KEY_RIGHTS} | {kind.replace("_", "-") for kind in CREDIT_ENTRIES}
    words |= {"terms", "periods", "parties", "payments", "collection", *SEEN_PARTS, CORRECTION, TAX_BASIS}
    assert words - {message.id for message in catalogue} == set()


def test_every_event_has_a_name_in_the_catalogues():
    assert {act.replace(".", " ").replace("_", " ") for act in marked_acts()} - set(NAMES) == set()


def test_pages_show_refusals_in_the_readers_language():
    """`message` of a refusal is the English one, for programs and records; `shown` is for pages."""
    pages = [path for folder in ("pages", "admin") for path in ROOT.glob(f"[a-z]*/{folder}/*.py") if "tests" not in path.parts]
    english = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in [*pages, *(ROOT / "templates").rglob("*.html")]
        for found in re.findall(r"\w*(?:refusal|error|pending)\.message\b(?! !=| ==)", path.read_text())
    ]
    assert english == []
