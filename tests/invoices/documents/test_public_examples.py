"""Each of the standard's 19 public example invoices: its amounts go through our doors, and its electronic invoice has the same
ones to the cent. The official rules accept it in both syntaxes."""

import pytest

from accounts.models import Client
from tests.support.e_invoices import breakdown, checked, printed, texts
from tests.support.public_examples import EXAMPLES, billed_example

pytestmark = pytest.mark.usefixtures("audited")

TOTALS = ("LineExtension", "AllowanceTotal", "ChargeTotal", "TaxExclusive")


@pytest.fixture
def client_of_examples(acme):
    Client.objects.update(
        region="", e_invoice="ubl", legal_name="Seller", registration_number="4711", iban="DE89370400440532013000"
    )
    acme.refresh_from_db()
    return acme


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_public_example_has_the_same_amounts_to_the_cent(name, client_of_examples, process):
    example = EXAMPLES[name]
    document = billed_example(client_of_examples, example, process)
    is_split = example.breakdown[0][0] == "B"
    read = checked(document=document, in_ubl_alone=is_split).document
    assert document.files.get(kind="e_invoice").format == "ubl"
    kind = "CreditNote" if example.credited else "Invoice"
    sums = (*(f"b:{one}Amount" for one in TOTALS), "b:TaxInclusiveAmount", "b:PrepaidAmount", "b:PayableAmount")
    found = texts(read, "a:LegalMonetaryTotal", *sums)
    tax = texts(read, "a:TaxTotal", "b:TaxAmount")[0]
    assert found == [(*example.totals[:4], *example.totals[5:])]
    assert (tax, breakdown(read)) == ((example.totals[4],), sorted(example.breakdown, key=str))
    assert texts(read, f"a:{kind}Line", "b:LineExtensionAmount") == [(amount,) for amount in example.lines]
    assert (f"Amount to pay: {example.totals[-1]} {example.currency.upper()}" in printed(document)) == bool(example.paid)


def test_a_line_names_the_order_and_where_it_is_booked_and_the_pdf_too(client_of_examples, process):
    document = billed_example(client_of_examples, EXAMPLES["FT G2G_TD01 con Allegato, Bonifico e Split Payment"], process)
    read = checked(document=document, in_ubl_alone=True).document
    line = "a:InvoiceLine"
    assert texts(read, line, "b:AccountingCost", "a:DocumentReference/b:ID") == [("B09.01.068", "229032/B")]
    page = printed(document)
    assert "Your cost centre: B09.01.068 Invoiced object: ABT:229032/B" in page
    assert "Split payment: the customer pays the VAT to the state." in page


def test_split_payment_is_sent_as_ubl_and_only_in_italy(client_of_examples, process):
    """Factur-X has no code for it."""
    Client.objects.update(e_invoice="factur_x")
    example = EXAMPLES["FT G2G_TD01 con Allegato, Bonifico e Split Payment"]
    document = billed_example(client_of_examples, example, process)
    assert document.files.get(kind="e_invoice").format == "ubl"
    with pytest.raises(AssertionError, match="BR-B-01"):
        billed_example(client_of_examples, example._replace(country="DK"), process)


def test_there_are_19():
    assert len(EXAMPLES) == 19
