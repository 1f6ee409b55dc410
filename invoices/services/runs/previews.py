"""What a billing run would do now, shown before it is planned. A dry run looks at all accounts instead."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from accounts.models import Client
from billing_site.errors import NUMBERED
from invoices.calculation import ZERO
from invoices.kinds import RunMode
from invoices.plan import InvoicePlan
from invoices.services.documents.outcomes import Planned, Refused
from invoices.services.planning.previewing import preview_invoices
from invoices.services.runs.batches import request_in
from invoices.services.runs.due_accounts import DueAccounts, count_due, due_accounts, not_in_runs
from invoices.services.runs.figures import AMOUNTS, CurrencyTotals, RefusalCount
from invoices.services.runs.filters import NO_FILTER, AccountFilter


class RunPreview(NamedTuple):
    """What a run would do now: which accounts it would take in, and of the first of them (`looked_at`) what their invoices
    would amount to, how many have nothing to bill, and why others would be refused."""

    due: DueAccounts
    looked_at: int
    nothing_to_bill: int
    totals: list[CurrencyTotals]
    refused: list[RefusalCount]


def preview_run(
    *,
    client: Client,
    today: date,
    sample: int,
    chosen: AccountFilter = NO_FILTER,
    mode: RunMode = RunMode.AS_CONFIGURED,
) -> RunPreview:
    """Plan the first `sample` accounts that a run takes in. Nothing is written."""
    taken_in = not_in_runs(due_accounts(client, today, chosen, mode))
    numbers = list(taken_in.order_by("pk").values_list("pk", flat=True)[:sample])
    planned = preview_invoices(client=client, account_nos=numbers, request=request_in(mode, today))
    plans = [one.plan for one in planned if isinstance(one, Planned)]
    billed: dict[str, list[InvoicePlan]] = defaultdict(list)
    for plan in plans:
        if plan.lines:
            billed[plan.facts.state.currency.code].append(plan)
    refusals = Counter(one.error.code.number for one in planned if isinstance(one, Refused))
    return RunPreview(
        due=count_due(client, today, chosen, mode),
        looked_at=len(numbers),
        nothing_to_bill=sum(not plan.lines for plan in plans),
        totals=[_planned_totals(currency, billed[currency]) for currency in sorted(billed)],
        refused=[RefusalCount(code, NUMBERED[code].message, count) for code, count in sorted(refusals.items())],
    )


def _planned_totals(currency: str, plans: Sequence[InvoicePlan]) -> CurrencyTotals:
    return CurrencyTotals(
        currency,
        len(plans),
        *(sum((getattr(plan, name) for plan in plans), ZERO) for name in AMOUNTS),
    )
