"""The difference between two documents of one chain of corrections, line by line. It can be printed for the customer."""

from django.http import Http404, HttpRequest, HttpResponse

from accounts.pages.base import StaffPage
from accounts.staff import names_of
from invoices.models import Invoice
from invoices.services.documents.chains import read_chain
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.states import mark_states
from rebills.plan.differences import compared, traced_lines
from rebills.services.explaining import totals
from rebills.services.facts import read_names
from rebills.services.shown_changes import location_names, shown


class DifferencePage(StaffPage):
    """Compares `number` (before) with `other` (after)."""

    def get(self, request: HttpRequest, number: int, other: int) -> HttpResponse:
        self.found(Invoice.objects.select_related("client"), number)
        chain = read_chain(client=self.client, invoice_no=number)
        mark_states([step.document for step in chain.steps], self.today)
        steps = {step.document.pk: step for step in chain.steps}
        if other not in steps:
            raise Http404
        contents = stored_contents(list(steps))
        before, after = contents[number], contents[other]
        names = {**read_names([before, after]), **location_names(self.client)}
        rows = shown(compared(before, after, traced_lines(contents, number, other), names), names)
        return self.page(
            "rebills/difference.html",
            {
                "invoice": steps[number].document,
                "before": steps[number],
                "after": steps[other],
                "rows": rows,
                "totals": totals(before, after),
                "chain": chain,
                "people": names_of(step.document.generated_by for step in chain.steps),
                "seller": steps[other].document.seller,
                "bill_to": steps[other].document.bill_to,
            },
        )
