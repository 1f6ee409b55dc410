"""The totals beside the builder's lines: original, memo, rebill and difference, and the account's money."""

from typing import Any

from django.utils.translation import gettext as _

from accounts.kinds import GuardedAct
from accounts.models import Client
from billing_site.errors import shown_message
from invoices.plan.actions import why_not_collected
from invoices.plan.vat import tax_texts_of_lines
from invoices.services.documents.approval_rules import four_eyes_apply, rebill_approval_amount, rebill_needs_approval
from rebills.plan import RebillPlan
from rebills.services.explaining import totals
from rebills.services.shown_changes import taxed_again_text


def summary_context(plan: RebillPlan | None, client: Client) -> dict[str, Any]:
    """Return the template context for the totals of a plan. Without a plan it has no totals."""
    if plan is None:
        return {"plan": None}
    approval_amount = rebill_approval_amount(plan.original.total, plan.rebill.total)
    return {
        "plan": plan,
        "taxed_again": [(row.line_no, map(taxed_again_text, row.taxed_again)) for row in plan.differences if row.taxed_again],
        "recounted": plan.recounted,
        "totals": totals(plan.facts.original, plan.content),
        "difference": plan.rebill.less(plan.original).total,
        "money": plan.money,
        "not_collected": _not_collected(plan),
        "needs_approval": rebill_needs_approval(client, approval_amount, plan.tax_answer),
        "tax_answer": plan.tax_answer,
        "tax_texts": tax_texts_of_lines(plan.content),
        "needs_another_person": four_eyes_apply(client, GuardedAct.REBILLS, approval_amount),
    }


def _not_collected(plan: RebillPlan) -> str:
    """Return why the amount due will not be collected although it was requested."""
    if not plan.facts.collects or plan.money.collect_now or not plan.money.due:
        return ""
    code = why_not_collected(plan.facts.money.payer)
    if code is None:
        return _("The amount is below the minimum collection threshold.")
    return shown_message(code.number, code.message)
