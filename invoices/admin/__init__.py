"""Documents, usage and orders, credits, runs and tax rates in the admin. Importing this package registers them."""

from invoices.admin import (
    accounts,
    audits,
    collection,
    corrections,
    credits,
    documents,
    ledger,
    lines,
    master_data,
    payments,
    plan_instances,
    queue,
    requested_acts,
    runs,
    statements,
    unbilled,
)

__all__ = [
    "accounts",
    "audits",
    "collection",
    "corrections",
    "credits",
    "documents",
    "ledger",
    "lines",
    "master_data",
    "payments",
    "plan_instances",
    "queue",
    "requested_acts",
    "runs",
    "statements",
    "unbilled",
]
