"""Which acts a page offers on a transaction. What the reader may not do is not offered."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.pages.base import StaffPage
from accounts.rights import COLLECT, CORRECT, GENERATE, ROW_RIGHTS, may
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, FREE_KINDS, PAYMENT_KINDS, EntryKind
from invoices.models import LedgerEntry, Refund
from invoices.services.money.ledger.history import description
from invoices.services.money.ledger.open_items import with_taken
from invoices.services.money.ledger.voids import NOT_SENT, UNDOABLE_KINDS, refunded_parts


class Offer(NamedTuple):
    """An act that is offered: where, in which words."""

    address: str
    text: str


class ShownEntry(NamedTuple):
    """A transaction with what is unapplied and what is refunded of it, and the acts that are offered on it."""

    entry: LedgerEntry
    text: str
    unapplied: Decimal
    refunded: Decimal
    offers: list[Offer]


ADDITIONS = (
    ("add-order", "invoices.onetimecharge", gettext_lazy("Add one-time charge")),
    ("add-usage", "invoices.usage", gettext_lazy("Add usage")),
    ("redeem-coupon", "invoices.couponredemption", gettext_lazy("Redeem coupon")),
    ("give-service-credit", "invoices.servicecredit", gettext_lazy("Give service credit")),
)


def additions(page: StaffPage, account_no: int) -> list[Offer]:
    """Return the acts that change the account's next invoice or bill at once, and that the reader may do."""
    at_once = [Offer(reverse("one-off", args=[account_no]), _("One-off invoice"))] if may(page.caller, GENERATE) else []
    return at_once + [
        Offer(reverse(name, args=[account_no]), str(text))
        for name, rows, text in ADDITIONS
        if may(page.caller, ROW_RIGHTS["add", rows])
    ]


def pausing(page: StaffPage, account_no: int, *, is_paused: bool) -> list[Offer]:
    """Return the acts that pause or resume billing and that the reader may do."""
    if not may(page.caller, ROW_RIGHTS["change", "accounts.planinstance"]):
        return []
    offers = [Offer(reverse("pause-billing", args=[account_no]), _("Pause billing"))]
    return [*offers, Offer(reverse("resume-billing", args=[account_no]), _("Resume billing"))] if is_paused else offers


NOT_VOIDED = (*CHARGE_KINDS, EntryKind.VOID, *UNDOABLE_KINDS)
"""Transactions that are never voided as such, and those that are undone instead."""


def shown_entries(page: StaffPage, entries: Sequence[LedgerEntry], *, owes: bool) -> list[ShownEntry]:
    """Return transactions of an account that were read with `with_voids` as the ledger shows them, in their order. `owes`: the
    account has an open invoice. Three queries at most."""
    free = LedgerEntry.objects.filter(pk__in=[entry.pk for entry in entries], kind__in=FREE_KINDS)
    taken = dict(with_taken(free).values_list("pk", "taken"))
    by_gateway = [entry.pk for entry in entries if entry.kind == EntryKind.ELECTRONIC_REFUND and not entry.is_voided]
    sent = set(by_gateway)
    if by_gateway:
        sent -= set(Refund.objects.filter(NOT_SENT, pk__in=by_gateway).values_list("pk", flat=True))
    refunded = refunded_parts([entry.pk for entry in entries])
    shown = []
    for entry in entries:
        left = -entry.amount - taken[entry.pk] if entry.pk in taken and not entry.is_voided else ZERO
        back = refunded.get(entry.pk, ZERO)
        offers = _offers(page, entry, left if owes else ZERO, back, is_sent=entry.pk in sent)
        shown.append(ShownEntry(entry, description(entry), left, back, offers))
    return shown


def _offers(page: StaffPage, entry: LedgerEntry, pays: Decimal, refunded: Decimal, *, is_sent: bool) -> list[Offer]:
    """`pays` is the amount that could pay an invoice now. `refunded` is what refunds have returned of a payment: it is voided
    after they are undone. `is_sent`: it is a refund that a gateway was asked for, which is not undone."""
    if entry.is_voided:
        return []
    offers = []
    if pays > ZERO and may(page.caller, COLLECT):
        offers.append(Offer(reverse("apply-credit", args=[entry.pk]), _("Apply")))
    if entry.kind in PAYMENT_KINDS and refunded < -entry.amount and may(page.caller, CORRECT):
        offers.append(Offer(reverse("refund", args=[entry.pk]), pgettext("act", "Refund")))
    if entry.kind in UNDOABLE_KINDS and not is_sent and may(page.caller, CORRECT):
        offers.append(Offer(reverse("undo-transaction", args=[entry.pk]), _("Undo")))
    if entry.kind not in NOT_VOIDED and not refunded and may(page.caller, CORRECT):
        offers.append(Offer(reverse("void-transaction", args=[entry.pk]), _("Void")))
    return offers
