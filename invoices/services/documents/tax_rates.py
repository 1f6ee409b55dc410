"""Remove tax rates that no document was taxed by."""

from accounts.callers import Caller
from accounts.services.changing import remove_row
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import TaxDetail, TaxRate


def remove_tax_rate(rate: TaxRate, *, caller: Caller) -> None:
    """Remove a locked tax rate. Refuses as `remove_row` and `check_never_taxed` do."""
    check_never_taxed(rate)
    remove_row(rate, caller=caller)


def check_never_taxed(rate: TaxRate) -> None:
    """Refuse (90163) a rate by which a document was taxed: documents store name and percent, and the rate explains them."""
    taxed = TaxDetail.objects.filter(invoice__client=rate.client_id, authority__iexact=rate.name, percent=rate.percent)
    invoice_no = taxed.order_by("pk").values_list("invoice_id", flat=True).first()
    if invoice_no is not None:
        detail = Detail(
            "tax rate {number} is on document {invoice_no}; end it by valid_to", number=rate.pk, invoice_no=invoice_no
        )
        raise BillingError(ErrorCode.ROW_IS_USED, detail)
