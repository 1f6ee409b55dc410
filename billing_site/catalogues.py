"""The texts of the program in other languages: `python -m billing_site.catalogues` compiles them, `... update` also brings
new texts into locale/ and takes away those that are gone. Babel does the work, so the gettext tools are not needed."""

import os
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.utils.translation.template import templatize

from billing_site.common.labels import labels
from billing_site.errors import ErrorCode
from billing_site.page_words import PAGE_WORDS

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale" if (ROOT / "locale").is_dir() else ROOT / "billing_site" / "locale"
OUR_APPS = ("accounts", "invoices", "rebills")
SOURCES = (*OUR_APPS, "billing_site")
NOT_SHOWN = ("migrations", "management")
"""Folders whose texts no page shows: commands speak English."""
HEADER = r"""msgid ""
msgstr ""
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural_forms}\n"

"""
"""Without the dates that Babel writes: they would change with each update."""
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "Detail": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}


def catalogues() -> list[Path]:
    """Return the files with the texts of each language: locale/de/LC_MESSAGES/django.po."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def extracted() -> Catalog:
    """Return every text that Python files and templates mark, the messages of the table of errors, their words for pages, and
    the names of columns."""
    found = Catalog()
    for source in _marked_sources():
        for _line, text, _comments, context in extract("python", BytesIO(source), KEYWORDS):
            found.add(text, context=context)
    columns = (name for app in OUR_APPS for name in labels(apps.get_app_config(app)))
    for text in (*(row.message for row in ErrorCode), *PAGE_WORDS.values(), *columns):
        found.add(text)
    return found


def update(path: Path) -> None:
    """Give a catalogue the texts of the program, sorted, each on one line: so that changes on two branches merge."""
    catalogue = read_catalogue(path)
    catalogue.update(extracted(), no_fuzzy_matching=True)
    texts = BytesIO()
    write_po(texts, catalogue, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    header = HEADER.format(language=catalogue.locale, plural_forms=catalogue.plural_forms)
    path.write_bytes(header.encode() + texts.getvalue())


def compile_catalogue(path: Path) -> None:
    """Write the file that Django reads beside the catalogue, unless there is a newer one. Readers never see half of it."""
    compiled = path.with_suffix(".mo")
    if compiled.exists() and compiled.stat().st_mtime > path.stat().st_mtime:
        return
    new = compiled.with_suffix(f".{os.getpid()}")
    with new.open("wb") as file:
        write_mo(file, read_catalogue(path))
    new.replace(compiled)


def _marked_sources() -> Iterator[bytes]:
    """What marks texts, as Python. Of a template Django makes calls among letters X; without the template's indents, Babel
    can read them."""
    for name in SOURCES:
        for path in sorted((ROOT / name).rglob("*.py")):
            if not set(NOT_SHOWN).intersection(path.parts):
                yield path.read_bytes()
    for path in sorted((ROOT / "templates").rglob("*.*")):
        calls = templatize(path.read_text())
        yield "\n".join(line.lstrip() for line in calls.splitlines()).encode()


def main(arguments: Iterable[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    django.setup()
    for path in catalogues():
        if "update" in arguments:
            update(path)
        compile_catalogue(path)


if __name__ == "__main__":
    main(sys.argv[1:])
