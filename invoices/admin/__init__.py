"""Documents, what waits for them, what is taken off them, runs and tax rates in the admin. Importing it registers them."""

from invoices.admin import (
    accounts,
    audits,
    collection,
    corrections,
    credits,
    documents,
    ledger,
    lines,
    payments,
    plan_instances,
    queue,
    reasons,
    runs,
    statements,
    taxes,
    waiting,
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
    "payments",
    "plan_instances",
    "queue",
    "reasons",
    "runs",
    "statements",
    "taxes",
    "waiting",
]
