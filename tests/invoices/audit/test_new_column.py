"""A line gets a new column: documents approved before are checked without it, those approved from then on with it."""

import pytest
from django.db import connection, models

from invoices.document import LINE_FIELDS, Line, shape
from invoices.fingerprints import FORMATS, fingerprint
from invoices.models import Invoice, InvoiceLine
from invoices.services.documents import document_storage
from invoices.services.documents.document_storage import stored_contents
from tests.support.audits.names import UNMOVED
from tests.support.audits.planting import LINE, OFFICE_FEB, PLAIN_JAN, findings, plant

MOVED = ": has changed since it was approved: lines"


@shape
class LineWithProject(Line):
    project: str = ""


@pytest.fixture
def with_project(world, monkeypatch):
    """Add a column `project` to lines: in the database, the model, what is read of a document, and the newest format."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE invoices_invoiceline ADD COLUMN project varchar(20) NOT NULL DEFAULT ''")
    project = models.CharField(max_length=20, default="")
    project.contribute_to_class(InvoiceLine, "project")
    monkeypatch.setattr(document_storage, "Line", LineWithProject)
    # Neither the first nor the last: nothing depends on the place of a column.
    monkeypatch.setattr(document_storage, "LINE_FIELDS", (*LINE_FIELDS[:9], "project", *LINE_FIELDS[9:]))
    monkeypatch.setitem(FORMATS, "4", FORMATS["3"]._replace(lines=("project", *FORMATS["3"].lines)))
    yield world
    InvoiceLine._meta.local_fields.remove(project)
    InvoiceLine._meta._expire_cache()
    del InvoiceLine.project


def approved_with(number):
    """The newest fingerprint of a document, as if it was approved now."""
    taken = fingerprint(stored_contents([number])[number])
    Invoice.objects.filter(pk=number).update(fingerprint=taken)
    return taken


def test_the_audit_accuses_no_document_that_was_approved_before_the_column_was_there(with_project):
    assert Invoice.objects.filter(fingerprint__startswith="3:").count() == 18
    assert InvoiceLine.objects.values_list("project", flat=True).first() == ""
    assert UNMOVED not in findings()


def test_documents_without_a_written_format_are_not_accused_either(with_project):
    for number, seen in Invoice.objects.filter(fingerprint__startswith="3:").values_list("pk", "fingerprint"):
        Invoice.objects.filter(pk=number).update(fingerprint=seen.removeprefix("3:"))
    assert UNMOVED not in findings()
    plant(LINE.format("gl_code = '0'", "office_feb", 3), with_project)
    assert findings()[UNMOVED] == [OFFICE_FEB.format(**vars(with_project)) + MOVED]


def test_an_old_column_of_a_document_from_before_cannot_change_unseen(with_project):
    plant(LINE.format("gl_code = '0'", "office_feb", 3), with_project)
    assert findings()[UNMOVED] == [OFFICE_FEB.format(**vars(with_project)) + MOVED]


def test_the_new_column_is_guarded_from_the_new_format_on(with_project):
    world = with_project
    assert approved_with(world.plain_jan).startswith("4:")
    assert UNMOVED not in findings()
    plant([LINE.format("project = 'X'", "plain_jan", 1), LINE.format("project = 'X'", "office_feb", 3)], world)
    assert findings()[UNMOVED] == [PLAIN_JAN.format(**vars(world)) + MOVED]
