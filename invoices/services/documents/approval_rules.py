"""Decide which documents need approval, and who may not approve them (four eyes)."""

from decimal import Decimal

from django.db.models import Q

from accounts.callers import Caller
from accounts.kinds import FourEyes, GuardedAct
from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import InvoiceKind, WaitReason
from invoices.models import Invoice
from invoices.plan import InvoicePlan
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.tax_answers import is_pending_for_tax_data
from invoices.services.documents.versions import Makers


def four_eyes_apply(client: Client, act: GuardedAct, amount: Decimal) -> bool:
    """Return whether an act over this amount needs another person. `act` must be in the client's `second_person_for`."""
    if act not in client.second_person_for.split(","):
        return False
    if client.four_eyes == FourEyes.ABOVE_AMOUNT:
        return amount > client.four_eyes_amount
    return client.four_eyes == FourEyes.ANOTHER_PERSON


def needs_another_person(client: Client) -> Q:
    """Select documents to which four eyes apply, as `four_eyes_apply` with `approval_amount_of` says for one. Above an amount,
    each document that was changed counts, because an earlier version may have been above it."""
    acts = client.second_person_for.split(",")
    guarded = Q(kind__in=[kind for kind in InvoiceKind if _act_of(kind) in acts])
    if client.four_eyes == FourEyes.ABOVE_AMOUNT:
        above = Q(total_amount__gt=client.four_eyes_amount) | Q(version__gt=1)
        return guarded & (above | Q(kind=InvoiceKind.REBILL, corrects__total_amount__gt=client.four_eyes_amount))
    return guarded if client.four_eyes == FourEyes.ANOTHER_PERSON else Q(pk=None)


def _act_of(kind: str) -> GuardedAct:
    return GuardedAct.REBILLS if kind == InvoiceKind.REBILL else GuardedAct.INVOICES


def approval_amount_of(invoice: Invoice) -> Decimal:
    """Return the amount that four eyes compare: a document's total, or the larger of original and rebill."""
    if invoice.kind == InvoiceKind.REBILL and invoice.corrects is not None:
        return rebill_approval_amount(invoice.corrects.total_amount, invoice.total_amount)
    return invoice.total_amount


def rebill_approval_amount(original: Decimal, rebill: Decimal) -> Decimal:
    """Return the larger of the credited and the charged amount (ours). So a rebill with a large credit and a small charge needs
    approval too."""
    return max(original, rebill)


def check_four_eyes(client: Client, invoice: Invoice, makers: Makers, caller: Caller) -> None:
    """Refuse (90002) an approval by a person who generated the document, recalculated or adjusted it.

    People are compared: a key counts as the person who made or rotated it, whatever the call says about its caller. `makers`
    are those of `makers_of`. The amount is the largest total that the document had, so that
    adjusting it to less changes nothing.
    """
    if not four_eyes_apply(client, _act_of(invoice.kind), max(approval_amount_of(invoice), makers.largest_total)):
        return
    if makers.generated & caller.people:
        raise BillingError(ErrorCode.FOUR_EYES, Detail("you or one of your API keys generated it"))
    if makers.changed & caller.people:
        raise BillingError(ErrorCode.FOUR_EYES, Detail("you or one of your API keys recalculated or adjusted it"))


def needs_approval(client: Client, plan: InvoicePlan, *, forced: bool) -> bool:
    """Return whether an invoice is generated as pending."""
    return bool(reasons_for_pending(client, plan, forced=forced))


def reasons_for_pending(client: Client, plan: InvoicePlan, *, forced: bool) -> tuple[WaitReason, ...]:
    """Return why an invoice is generated as pending: the client's or account's setting, the request, four eyes, or missing tax
    data.

    No reason overrides another: force_pending=false does not switch off the client's or the account's setting.
    """
    reasons = (
        (WaitReason.CLIENT, client.invoice_approval_required),
        (WaitReason.ACCOUNT, plan.facts.approval_required),
        (WaitReason.FOUR_EYES, four_eyes_apply(client, GuardedAct.INVOICES, plan.total_amount)),
        (WaitReason.ASKED, forced),
        (WaitReason.TAX_DATA, is_pending_for_tax_data(client, plan.tax_answer)),
    )
    return tuple(reason for reason, applies in reasons if applies)


def rebill_needs_approval(client: Client, approval_amount: Decimal, answer: TaxAnswer) -> bool:
    """Return whether a rebill is generated as pending: by the client's setting for rebills, four eyes, or missing tax data."""
    return (
        client.rebill_approval_required
        or four_eyes_apply(client, GuardedAct.REBILLS, approval_amount)
        or is_pending_for_tax_data(client, answer)
    )
