"""What is owed: documents, their lines and taxes, what waits to be billed, credits, the number series, and billing runs."""

from invoices.models.credits import Coupon, CouponRedemption, CouponUse, CreditUse, ServiceCredit, Surcharge
from invoices.models.documents import (
    BilledPeriod,
    CreditDetail,
    Invoice,
    InvoiceLine,
    NumberSeries,
    TaxDetail,
)
from invoices.models.runs import BillingRun, RunOutcome
from invoices.models.taxes import TaxRate
from invoices.models.waiting import OneTimeCharge, Usage

__all__ = [
    "BilledPeriod",
    "BillingRun",
    "Coupon",
    "CouponRedemption",
    "CouponUse",
    "CreditDetail",
    "CreditUse",
    "Invoice",
    "InvoiceLine",
    "NumberSeries",
    "OneTimeCharge",
    "RunOutcome",
    "ServiceCredit",
    "Surcharge",
    "TaxDetail",
    "TaxRate",
    "Usage",
]
