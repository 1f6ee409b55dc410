"""Documents as values, without a database."""

from datetime import date
from decimal import Decimal as D

from invoices.document import Document, Line, Parties, Period, Tax, Terms

TERMS = {
    "kind": "recurring",
    "currency": "usd",
    "bill_date": date(2026, 1, 10),
    "bill_day": 10,
    "period_start": date(2026, 1, 10),
    "period_end": date(2026, 2, 9),
    "tax_date": date(2026, 1, 10),
    "invoice_date": date(2026, 1, 11),
    "payment_terms_days": 30,
    "due_date": date(2026, 2, 10),
    "net_amount": D("30.00"),
    "tax_amount": D("3.00"),
    "total_amount": D("33.00"),
    "series": "invoice",
    "number": 7,
    "document_number": "INV-000007",
}
LINE = {
    "line_no": 1,
    "line_type": 1,
    "service_id": 5,
    "plan_instance_id": 6,
    "description": "Phone",
    "plan_name": "Basic",
    "gl_code": "4000",
    "tax_category": "standard",
    "units": D("1.0000"),
    "rate_per_unit": D("30.00"),
    "proration_factor": D(1),
    "proration_text": "",
    "amount": D("30.00"),
    "period_start": date(2026, 1, 10),
    "period_end": date(2026, 2, 9),
    "po_num": "PO",
    "bill_to_contact_id": 7,
    "ship_to_contact_id": 7,
    "explanation": "",
    "coupon_code": "",
}
PARTIES = Parties(client_id=1, account_id=2, seller={"name": "Acme"}, bill_to={"name": "Ada"})
TAX = Tax(
    tax_line_no=2,
    taxed_line_no=1,
    authority="Sales tax",
    authority_level=1,
    jurisdiction="US-CA",
    percent=D(10),
    is_inclusive=False,
    taxable_amount=D(30),
    amount=D(3),
)
PERIOD = Period(plan_instance_id=6, start_date=date(2026, 1, 10), end_date=date(2026, 2, 9))


def a_document(terms=(), line=(), **parts):
    whole = {
        "terms": Terms(**TERMS | dict(terms)),
        "parties": PARTIES,
        "lines": (Line(**LINE | dict(line)),),
        "taxes": (TAX,),
        "periods": (PERIOD,),
    }
    return Document(**whole | parts)
