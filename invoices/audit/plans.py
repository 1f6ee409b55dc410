"""Check that plans which were removed before they began are never billed."""

from django.db.models import Exists, OuterRef, Q

from accounts.models import PlanInstance
from invoices.audit.rules import Rule
from invoices.services.billing.plan_changes import lines_that_bill

TAKEN_OFF = (
    Rule(
        PlanInstance,
        "account__client",
        Exists(lines_that_bill(OuterRef("pk"))),
        "plan instance {pk} of account {account_id}: was removed on {taken_off_on}, but a live document bills it",
        checked=Q(taken_off_on__isnull=False),
    ),
)
