"""`python -m tests.killing_rebills KILLS [random]`: kill rebilling at each of its points, and resume it.

As in `tests.killing`, a forked process dies by SIGKILL. Each rebill is then missing, with its original unchanged, or complete:
memo, rebill, ledger and numbers. A retry does the rest once, and our records agree with the gateway's.
"""

import random
import sys
from collections.abc import Callable
from io import StringIO

from tests import killing
from tests.killing import CALLER, INVOICES, World, after, before, compare_books, database, kill_at, kill_sometime
from tests.support.outcomes import code_of

# Only now is Django set up, and the gateway's file a temporary one.
from decimal import Decimal  # isort: skip

from django.core.management import call_command
from django.db import connection

from invoices.audit import run_audits
from invoices.kinds import AttemptStatus, InvoiceKind, InvoiceStatus
from invoices.models import CollectionAttempt, Invoice
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.issuing import after_issue, issuing
from invoices.services.money.ledger.open_items import charges_of
from rebills.services import exchanging, rebilling
from rebills.services import issuing as issuing_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RebillRequest, RequestedLine

POINTS = {
    "planned, nothing locked": before(rebilling, "lock_states"),
    "locked": after(rebilling, "lock_states"),
    "checked again": after(rebilling, "_checked_again"),
    "rebills written, as waiting": after(rebilling, "insert_documents"),
    "about to be issued": before(rebilling, "issue"),
    "the old collection stopped": after(issuing_rebills, "stop_collecting"),
    "entered in the ledger": after(exchanging, "post"),
    "payments let go": after(exchanging, "allocate"),
    "payments applied": after(issuing_rebills, "exchange"),
    "memos numbered": after(issuing, "take_numbers"),
    "rebills numbered": after(issuing, "take_numbers", 2),
    "memos written": after(issuing, "_insert"),
    "rebills written": after(issuing, "_update"),
    "collection requested": after(issuing, "request_collection"),
    "issued, not told": before(issuing, "record_acts"),
    "all written, not committed": after(rebilling, "_write"),
    "committed": before(rebilling, "settle_documents"),
    "nothing collected yet": before(after_issue, "collect_issued"),
    **killing.COLLECT_POINTS,
    "collected, no statement sent": after(after_issue, "collect_issued"),
}


class Rebills(World):
    def originals(self) -> list[int]:
        return self.bill(pending=False)

    def rebill(self, numbers: list[int]) -> list[str]:
        """Rebills at a lower price, to be collected: what each was refused with, if it was."""
        requests = [
            RebillRequest(number, 1, (RequestedLine(1, rate_per_unit=Decimal("20.00")),), collect=True) for number in numbers
        ]
        outcomes = rebill_invoices(requests=requests, **self.by())
        return [str(code_of(one) or "") for one in outcomes]

    def whole_or_absent(self, numbers: list[int]) -> None:
        """Resume what was interrupted. Then what is not rebilled is unchanged, and is rebilled now."""
        call_command("collect", self.client.pk, "--resume", stdout=StringIO(), stderr=StringIO())
        compare_books()
        for number in numbers:
            documents = list(Invoice.objects.filter(corrects=number).order_by("kind").values_list("kind", "status"))
            whole = [(InvoiceKind.CREDIT_MEMO, InvoiceStatus.APPROVED), (InvoiceKind.REBILL, InvoiceStatus.APPROVED)]
            assert documents in ([], whole), documents
            assert charges_of([number])[number].due == (0 if documents else 30)
        assert set(self.rebill(numbers)) <= {"", "90033"}
        rebills = list(Invoice.objects.filter(corrects__in=numbers, kind=InvoiceKind.REBILL).values_list("pk", flat=True))
        assert len(rebills) == INVOICES
        collect_invoices(invoice_nos=rebills, **self.by())
        compare_books()
        assert [charge.due for charge in charges_of(rebills).values()] == [0] * INVOICES
        made = CollectionAttempt.objects.filter(invoice__in=[*numbers, *rebills], status=AttemptStatus.COLLECTED)
        assert sorted(made.values_list("invoice_id", "amount")) == sorted((number, 20) for number in rebills)


def main(kills: int, at_random: bool) -> None:
    killed = turns = 0
    points: list[tuple[str, Callable[[], None]]] = list(POINTS.items())
    with database():
        world = Rebills()
        world.rebill(world.originals())  # warm, and the sandbox has books
        while killed < kills:
            name, point = points[turns % len(points)]
            turns += 1
            numbers = world.originals()
            work = lambda numbers=numbers: world.rebill(numbers)  # noqa: E731
            if at_random and turns % 2:
                killed += kill_sometime(random.uniform(0, 0.15), work)
            else:
                assert kill_at(point, work), f"{name}: was not killed"
                killed += 1
            try:
                world.whole_or_absent(numbers)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
        found = [finding for report in run_audits() for finding in report.findings]
        assert found == [], found
        rebills = Invoice.objects.filter(kind=InvoiceKind.REBILL).count()
        print(f"{connection.vendor}: {killed} killed in {turns} turns, {rebills} rebills, each whole, 0 findings")
        assert CALLER.process == "test"


if __name__ == "__main__":
    main(int(sys.argv[1]), "random" in sys.argv[2:])
