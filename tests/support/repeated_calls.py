"""Every act of the REST API as a request that can be repeated."""

from accounts.callers import Caller
from accounts.models import Contact
from accounts.rights import KEY_RIGHTS
from invoices.models import CollectionAttempt, Invoice, LedgerEntry, OneTimeCharge, Payment, Refund, ServiceCredit
from tests.support.billing import JAN_10, bill
from tests.support.money_api import with_key
from tests.support.paying import billed, paying

RIGHTS = dict.fromkeys(KEY_RIGHTS, True)


PROCESS = Caller(process="test")


def post(api, path, body=None, key="once"):
    """Send a request, and return status and body of the answer."""
    answer = api.post(f"/api/v1/{path}/", body or {}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    return answer.status_code, answer.json()


def pending(account, **options):
    return bill(account, PROCESS, JAN_10, force_pending=True, **options)


ACTS = {
    "generated": ("invoices", lambda world: {"acct_no": world.fresh.pk}, Invoice),
    "approved": ("invoices/{pending}/approve", lambda world: {}, LedgerEntry),
    "discarded": ("invoices/{pending}/discard", lambda world: {"client_notes": "no"}, Invoice),
    "regenerated": ("invoices/{pending}/regenerate", lambda world: {}, Invoice),
    "approved in bulk": ("invoices/approve", lambda world: {"invoice_nos": [world.pending.pk, 999]}, LedgerEntry),
    "discarded in bulk": ("invoices/discard", lambda world: {"invoice_nos": [world.pending.pk]}, Invoice),
    "voided": ("invoices/{issued}/void", lambda world: {"reason_code": 5}, LedgerEntry),
    "collected": ("invoices/{issued}/collect", lambda world: {}, CollectionAttempt),
    "collected in bulk": ("invoices/collect", lambda world: {"invoice_nos": [world.issued.pk]}, CollectionAttempt),
    "paid": ("payments", lambda world: {"acct_no": world.account.pk, "amount": "5", "type": "check"}, Payment),
    "refunded": ("payments/{payment}/refund", lambda world: {"amount": "1", "reason_code": 1}, Refund),
    "credited": (
        "credit-memos",
        lambda world: {"invoice_no": world.issued.pk, "amount": "3", "reason_code": 1, "comments": "so"},
        Invoice,
    ),
    "credited in cash": (
        "cash-credits",
        lambda world: {"acct_no": world.account.pk, "amount": "5", "reason_code": 1},
        LedgerEntry,
    ),
    "written off": ("write-offs", lambda world: {"invoice_no": world.issued.pk, "amount": "2", "reason_code": 1}, LedgerEntry),
    "payment voided": ("payments/{payment}/void", lambda world: {"reason_code": 5}, LedgerEntry),
    "rebilled": (
        "rebills",
        lambda world: {"invoice_no": world.issued.pk, "reason_code": 1, "lines": [{"line_no": 1}]},
        Invoice,
    ),
    "rebilled in bulk": (
        "rebills/bulk",
        lambda world: {"rebills": [{"invoice_no": world.issued.pk, "reason_code": 1, "lines": [{"line_no": 1}]}]},
        Invoice,
    ),
    "ordered": (
        "one-time-charges",
        lambda world: {"acct_no": world.account.pk, "service": world.service, "rate_per_unit": "9"},
        OneTimeCharge,
    ),
    "given": ("service-credits", lambda world: {"acct_no": world.account.pk, "amount": "4", "reason": "Outage"}, ServiceCredit),
    "a contact": (
        "contacts",
        lambda world: {"acct_no": world.account.pk, "contact_no": 7, "name": "Else", "country": "US"},
        Contact,
    ),
}


class World:
    """Rows for every act."""

    def __init__(self, client):
        self.fresh = paying(client)
        self.account, self.issued = billed(client, PROCESS)
        self.pending = pending(paying(client))
        payer, paid = billed(client, PROCESS)
        api = with_key(client, **RIGHTS)
        self.payment = api.post(
            "/api/v1/payments/", {"acct_no": payer.pk, "amount": "8.00", "type": "check"}, format="json"
        ).json()["transaction_id"]
        self.service = self.issued.lines.get(line_type=1).service_id

    def path(self, text):
        return text.format(pending=self.pending.pk, issued=self.issued.pk, payment=self.payment)
