"""`python -m tests.killing_calls`: kill a process that answers a call under a receipt, and repeat the call.

As in `tests.killing`, a forked process dies by SIGKILL, either before its answer is stored or on its way to the gateway. The
same call by another process then gets the answer that was lost, and the gateway has charged once.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.killing import CALLER, FOLDER, after, before, compare_books, database, die, kill_at

# Only now is Django set up, and the gateway's file a temporary one.
from django.db import connection  # isort: skip
from django.test.utils import setup_test_environment  # isort: skip

from accounts import receipts
from accounts.models import Client, Receipt
from invoices.audit import run_audits
from invoices.gateways import sandbox
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt, Invoice, ReasonCode
from invoices.services.collecting import collecting
from tests.support.calling import caller_of
from tests.support.factories import ClientFactory
from tests.support.paying import billed, books, paying

TOLD = Path(FOLDER.name) / "told.json"


def answer_made_not_kept() -> None:
    def tell_and_die(receipt: Receipt, answer: str) -> None:
        TOLD.write_text(answer)
        die()

    receipts._kept = tell_and_die  # type: ignore[assignment]


POINTS = {
    "begun, the gateway not asked": before(collecting, "ask_to_charge"),
    "the gateway has charged, the answer is lost": after(sandbox.SandboxGateway, "charge"),
    "answered, nothing recorded": before(collecting, "record"),
    "recorded": after(collecting, "_settle_some"),
    "the answer is made and not kept": answer_made_not_kept,
}


def gen_invoice(client: Client) -> dict[str, Any]:
    client.collect_on_approval = True
    client.save()
    return {"acct_no": paying(client).pk}


def gen_rb_m(client: Client) -> dict[str, Any]:
    account, invoice = billed(client, CALLER)
    ReasonCode.objects.create(client=client, type="rebill", code=1, name="As agreed")
    lines = [{"line_no": 1, "service_no": invoice.lines.get(line_type=1).service_id, "rb_rate_per_unit": "20.00"}]
    return {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, "do_collect": "true", "rb_line_items": lines}


def collect_from_account(client: Client) -> dict[str, Any]:
    return {"account_no": billed(client, CALLER)[0].pk}


def check(name: str, point: Callable[[], None], prepare: Callable[[Client], dict[str, Any]]) -> None:
    client = ClientFactory()
    call, method = caller_of(client), prepare.__name__
    asked = {**prepare(client), "client_receipt_id": "r1"}
    charged = len(books())
    TOLD.unlink(missing_ok=True)
    assert kill_at(point, lambda: call(method, **asked)), "was not killed"
    documents = Invoice.objects.count()
    answer = call(method, **asked)
    assert answer["error_code"] == 0, answer
    assert not TOLD.exists() or answer == json.loads(TOLD.read_text()), answer
    assert call(method, **asked) == answer
    assert (Invoice.objects.count(), len(books())) == (documents, charged + 1)
    (attempt,) = CollectionAttempt.objects.filter(invoice__client=client)
    assert attempt.status == AttemptStatus.COLLECTED
    told = {"gen_invoice": attempt.invoice_id, "gen_rb_m": attempt.invoice_id, "collect_from_account": attempt.payment_id}
    assert told[method] == answer["transaction_id" if method == "collect_from_account" else "invoice_no"]
    compare_books()


def main() -> None:
    setup_test_environment()
    receipts.ANSWER_WAIT = timedelta()  # whoever held the receipt is known to be dead
    with database():
        for prepare in (gen_invoice, gen_rb_m, collect_from_account):
            for name, point in POINTS.items():
                try:
                    check(name, point, prepare)
                except AssertionError as error:
                    raise AssertionError(f"{prepare.__name__}: {name}: {error}") from error
        found = [finding for report in run_audits() for finding in report.findings]
        assert found == [], found
        print(f"{connection.vendor}: {len(POINTS)} points of 3 calls, each charged once, 0 findings")


if __name__ == "__main__":
    main()
