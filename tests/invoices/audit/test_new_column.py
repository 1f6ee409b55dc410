"""A line gets a new column: documents approved before are checked without it, those approved from then on with it."""

import pytest
from django.db import connection, models

from billing_site.common.compiled_reads import CompiledRead
from invoices.document import LINE_FIELDS, Line, shape
from invoices.fingerprints import FORMATS, document_parts, fingerprint, fingerprint_of, newest
from invoices.models import Invoice, InvoiceLine
from invoices.services.documents import document_storage
from invoices.services.documents.document_storage import stored_contents
from tests.support.audits.names import UNMOVED
from tests.support.audits.planting import LINE, OFFICE_FEB, PLAIN_JAN, findings_of, plant

TODAYS = newest()
NEXT = str(int(TODAYS) + 1)
MOVED = ": has changed since it was approved: lines"


@shape
class LineWithProbe(Line):
    probe_column: str = ""


@pytest.fixture
def with_probe(world, monkeypatch):
    """Add a column `probe_column` to lines: in the database, the model, what is read of a document, and the newest format."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE invoices_invoiceline ADD COLUMN probe_column varchar(20) NOT NULL DEFAULT ''")
    probe = models.CharField(max_length=20, default="")
    probe.contribute_to_class(InvoiceLine, "probe_column")
    monkeypatch.setattr(document_storage, "Line", LineWithProbe)
    # Neither the first nor the last: nothing depends on the place of a column.
    monkeypatch.setattr(document_storage, "LINE_FIELDS", (*LINE_FIELDS[:9], "probe_column", *LINE_FIELDS[9:]))
    columns = document_storage.INVOICE_LINE_FIELDS
    monkeypatch.setattr(document_storage, "INVOICE_LINE_FIELDS", (*columns[:9], "probe_column", *columns[9:]))
    before = FORMATS[TODAYS]
    monkeypatch.setitem(FORMATS, NEXT, before._replace(lines=("probe_column", *before.lines)))
    compile_again()
    yield world
    InvoiceLine._meta.local_fields.remove(probe)
    InvoiceLine._meta._expire_cache()
    del InvoiceLine.probe_column
    compile_again()


def compile_again():
    """A program that has a new column has been started with it."""
    for read in vars(document_storage).values():
        if isinstance(read, CompiledRead):
            read._compiled.clear()


def approved_with(number):
    """The newest fingerprint of a document, as if it was approved now."""
    taken = fingerprint(stored_contents([number])[number])
    Invoice.objects.filter(pk=number).update(fingerprint=taken)
    return taken


def test_the_audit_accuses_no_document_that_was_approved_before_the_column_was_there(with_probe):
    assert Invoice.objects.filter(fingerprint__startswith=f"{TODAYS}:").count() == 18
    assert InvoiceLine.objects.values_list("probe_column", flat=True).first() == ""
    assert findings_of(UNMOVED) == []


def test_documents_without_a_written_format_are_not_accused_either(with_probe):
    for number in Invoice.objects.filter(fingerprint__startswith=f"{TODAYS}:").values_list("pk", flat=True):
        taken = fingerprint_of(document_parts(stored_contents([number])[number], "2"))
        Invoice.objects.filter(pk=number).update(fingerprint=taken.rpartition(":")[2])
    assert findings_of(UNMOVED) == []
    plant(LINE.format("gl_code = '0'", "office_feb", 3), with_probe)
    assert findings_of(UNMOVED) == [OFFICE_FEB.format(**vars(with_probe)) + MOVED]


def test_an_old_column_of_a_document_from_before_cannot_change_unseen(with_probe):
    plant(LINE.format("gl_code = '0'", "office_feb", 3), with_probe)
    assert findings_of(UNMOVED) == [OFFICE_FEB.format(**vars(with_probe)) + MOVED]


def test_the_new_column_is_guarded_from_the_new_format_on(with_probe):
    world = with_probe
    assert approved_with(world.plain_jan).startswith(f"{NEXT}:")
    assert findings_of(UNMOVED) == []
    plant([LINE.format("probe_column = 'X'", "plain_jan", 1), LINE.format("probe_column = 'X'", "office_feb", 3)], world)
    assert findings_of(UNMOVED) == [PLAIN_JAN.format(**vars(world)) + MOVED]
