"""PURE: decide what may be done with a document, and if not: why, what blocks it, and what to do instead.

Services check this before they act, under the account's lock. Doors check it to show what is possible.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from operator import attrgetter
from typing import NamedTuple

from accounts.kinds import AccountStatus
from billing_site.errors import BillingError, Detail, ErrorCode, listed, word
from invoices.calculation import ZERO
from invoices.kinds import (
    ASKED_ATTEMPTS,
    BILLING_KINDS,
    NOUNS,
    OFFSETTING_KINDS,
    OPEN_ATTEMPTS,
    TRANSITIONS,
    AttemptStatus,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
)
from invoices.plan.action_facts import Correcting, DocumentFacts, InTheWay, PayerFacts


class Action(Enum):
    APPROVE = "approve"
    DISCARD = "discard"
    RECALCULATE = "recalculate"
    REGENERATE = "regenerate"
    ADJUST = "adjust"
    VOID = "void"
    COLLECT = "collect"
    REFUND = "refund"
    CREDIT = "credit"
    WRITE_OFF = "write_off"
    DISPUTE = "dispute"
    REBILL = "rebill"
    UNDO = "undo"
    UNDO_MEMO = "undo_memo"
    UNDO_VOID = "undo_void"


UNCOLLECTABLE_STATUSES = frozenset({AccountStatus.ARCHIVED, AccountStatus.PERMANENT})
"""Open amounts of ended accounts are still collected, but not those of archived accounts, nor of permanent ones, which never
pay."""


class Refusal(NamedTuple):
    """Why something may not be done, what blocks it, and what to do instead."""

    code: ErrorCode
    detail: str
    in_the_way: InTheWay | None = None
    instead: str = ""
    field: str = "invoice_no"

    @property
    def error(self) -> BillingError:
        detail = listed([self.detail, self.instead], "; ") if self.instead else self.detail
        return BillingError(self.code, detail, field=self.field)


Rule = Callable[[DocumentFacts], Iterator[Refusal]]


def why_not(action: Action, facts: DocumentFacts) -> Refusal | None:
    """Return the first reason why an action is refused, or None if it is allowed."""
    return next((refusal for rule in RULES[action] for refusal in rule(facts)), None)


def why_not_collected(payer: PayerFacts) -> ErrorCode | None:
    """Return why a gateway cannot collect from an account (7021, 7022, 7025), or None."""
    if payer.is_test:
        return ErrorCode.COLLECTION_TEST_ACCOUNT
    if payer.status in UNCOLLECTABLE_STATUSES:
        return ErrorCode.COLLECTION_STATUS
    return None if payer.has_method else ErrorCode.NO_ELECTRONIC_METHOD


OF_CYCLES = frozenset({Action.RECALCULATE, Action.REGENERATE, Action.ADJUST})
"""These acts are about documents that bill a cycle. A pending rebill is discarded, and made again."""


def why_not_decided(action: Action, invoice_no: int, kind: str, status: str) -> Refusal | None:
    """Return why a document cannot be approved, discarded, recalculated, regenerated or adjusted, or None. It must be
    pending."""
    if InvoiceStatus.APPROVED not in TRANSITIONS[InvoiceStatus(status)]:
        return Refusal(
            ErrorCode.NOT_PENDING, Detail("invoice {invoice_no} is {status}", invoice_no=invoice_no, status=word(status))
        )
    if action in OF_CYCLES and kind == InvoiceKind.REBILL:
        instead = Detail("discard it and rebill the original again")
        return Refusal(
            ErrorCode.PART_OF_REBILL, Detail("invoice {invoice_no} is a rebill", invoice_no=invoice_no), instead=instead
        )
    if action in OF_CYCLES and kind == InvoiceKind.ONE_OFF:
        instead = Detail("discard it, then bill its charges again")
        return Refusal(ErrorCode.ONE_OFF_STAYS, Detail("invoice {invoice_no}", invoice_no=invoice_no), instead=instead)
    return None


def _decided(action: Action) -> Rule:
    def rule(facts: DocumentFacts) -> Iterator[Refusal]:
        refusal = why_not_decided(action, facts.invoice_no, facts.kind, facts.status)
        if refusal is not None:
            yield refusal

    return rule


def _issued(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.status != InvoiceStatus.APPROVED:
        yield Refusal(ErrorCode.NOT_ISSUED, Detail("{document} is {status}", document=facts.name, status=word(facts.status)))


def _owed(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.kind in OFFSETTING_KINDS:
        detail = Detail("{document} is a {kind} and has no open amount", document=facts.name, kind=word(NOUNS[facts.kind]))
        yield Refusal(ErrorCode.NOT_ISSUED, detail)


def _not_voided(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.status == InvoiceStatus.VOIDED:
        yield Refusal(ErrorCode.ALREADY_VOIDED, facts.name)


def _in_no_rebill(facts: DocumentFacts) -> Iterator[Refusal]:
    """A rebill and its memo belong together. They are undone together, or another rebill corrects them."""
    if facts.kind == InvoiceKind.REVERSAL:
        yield _reversal(facts)
    if facts.kind == InvoiceKind.REBILL:
        yield Refusal(
            ErrorCode.PART_OF_REBILL,
            Detail("{document} is a rebill", document=facts.name),
            instead=Detail("undo it, or rebill it again"),
        )
    if facts.part_of is not None:
        rebill, newest = facts.part_of.blocker, (facts.newest or facts.part_of).blocker
        yield Refusal(
            ErrorCode.PART_OF_REBILL,
            Detail("{document} was issued with {rebill}", document=facts.name, rebill=rebill.name),
            rebill,
            _rebill_again(newest.name),
        )


def _reversal(facts: DocumentFacts) -> Refusal:
    return Refusal(ErrorCode.REVERSAL_IS_FINAL, facts.name)


def _undo_first(document: str) -> Detail:
    return Detail("undo {document} first", document=document)


def _as_it_is(facts: DocumentFacts) -> Detail:
    if not facts.document_number:
        return Detail("{document} is {status}", document=facts.name, status=word(facts.status))
    noun = word(NOUNS[facts.kind])
    return Detail("{kind} {document} is {status}", kind=noun, document=facts.document_number, status=word(facts.status))


def _is_undoable(facts: DocumentFacts) -> Iterator[Refusal]:
    """Only an issued rebill is undone."""
    if facts.kind == InvoiceKind.REBILL and facts.status == InvoiceStatus.APPROVED:
        return
    yield Refusal(
        ErrorCode.NOT_UNDOABLE,
        _as_it_is(facts),
        instead=_instead_of_undo(facts),
    )


def _is_memo(facts: DocumentFacts) -> Iterator[Refusal]:
    """Only an issued credit memo that was not issued with a rebill is undone by itself."""
    if facts.kind == InvoiceKind.CREDIT_MEMO and facts.status == InvoiceStatus.APPROVED and facts.part_of is None:
        return
    detail = _as_it_is(facts)
    instead = _instead_of_undo(facts) if facts.part_of is not None else _instead_of_restoring(facts)
    if facts.kind == InvoiceKind.REBILL and facts.status == InvoiceStatus.APPROVED:
        instead = Detail("undo it as a rebill")
    yield Refusal(ErrorCode.NOT_UNDOABLE, detail, instead=instead)


def _is_voided_invoice(facts: DocumentFacts) -> Iterator[Refusal]:
    """Undo restores what a voided invoice charged. Voided memos and rebills are made again instead."""
    if facts.status == InvoiceStatus.VOIDED and facts.kind in BILLING_KINDS:
        return
    detail = _as_it_is(facts)
    yield Refusal(ErrorCode.NO_VOID_TO_UNDO, detail, instead=_instead_of_restoring(facts))


def _instead_of_restoring(facts: DocumentFacts) -> str:
    if facts.status != InvoiceStatus.VOIDED or facts.original is None:
        return ""
    original = facts.original.blocker.name
    if facts.kind == InvoiceKind.CREDIT_MEMO and facts.part_of is None:
        return Detail("credit {document} again", document=original)
    return _rebill_again(original) if facts.kind == InvoiceKind.REBILL else ""


def _not_restored(facts: DocumentFacts) -> Iterator[Refusal]:
    """A void is undone once. If what it restored was voided too, that void is undone."""
    if facts.restored_by is not None:
        blocker = facts.restored_by.blocker
        is_void = facts.restored_by.status == InvoiceStatus.VOIDED
        yield Refusal(
            ErrorCode.UNDO_BLOCKED,
            Detail("the void of {document} was undone by {restored}", document=facts.name, restored=blocker.name),
            blocker,
            Detail("undo the void of {document}", document=blocker.name) if is_void else "",
        )


def _not_billed_again(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.billed_by is not None and facts.billed_by.kind in (facts.kind, InvoiceKind.REBILL) and not facts.bills_again:
        blocker = facts.billed_by.blocker
        is_pending = facts.billed_by.status == InvoiceStatus.PENDING
        yield Refusal(
            ErrorCode.UNDO_BLOCKED,
            Detail("{blocker} has billed the cycle of {document} since", blocker=blocker.name, document=facts.name),
            blocker,
            _way_to_take_away(facts.billed_by, Detail("discard that first") if is_pending else Detail("void that first")),
        )


def _way_to_take_away(billed: Correcting, otherwise: Detail) -> Detail:
    return _undo_first(billed.blocker.name) if billed.kind == InvoiceKind.REBILL else otherwise


def _no_cycle_pending(facts: DocumentFacts) -> Iterator[Refusal]:
    """A pending invoice was planned without what the undo restores."""
    if facts.pending_no is not None and facts.kind != InvoiceKind.ONE_OFF:
        blocker = InTheWay("invoice", facts.pending_no, Detail("pending invoice {invoice_no}", invoice_no=facts.pending_no))
        detail = Detail("{blocker} was planned without {document}", blocker=blocker.name, document=facts.name)
        yield Refusal(ErrorCode.UNDO_BLOCKED, detail, blocker, Detail("discard that first"))


def _instead_of_undo(facts: DocumentFacts) -> str:
    """The memo of a rebill is undone with it, and so is what a rebilled document was replaced by."""
    if facts.status == InvoiceStatus.PENDING:
        return Detail("discard it")
    rebill = facts.part_of or facts.rebill(InvoiceStatus.APPROVED)
    return Detail("undo {document}", document=(facts.newest or rebill).blocker.name) if rebill is not None else ""


def _rebill_again(document: str) -> Detail:
    return Detail("rebill {document} again", document=document)


def _use_instead(document: str) -> Detail:
    return Detail("use {document} instead", document=document)


def _not_rebilled(code: ErrorCode, instead: Callable[[str], Detail]) -> Rule:
    """Recommend the last rebill of the chain, because the first one may have been replaced too."""

    def rule(facts: DocumentFacts) -> Iterator[Refusal]:
        rebill = facts.rebill(InvoiceStatus.APPROVED)
        if rebill is not None:
            newest = (facts.newest or rebill).blocker.name
            yield Refusal(
                code,
                Detail("{document} was replaced by {rebill}", document=facts.name, rebill=rebill.blocker.name),
                rebill.blocker,
                instead(newest),
            )

    return rule


def _no_rebill_pending(facts: DocumentFacts) -> Iterator[Refusal]:
    rebill = facts.rebill(InvoiceStatus.PENDING)
    if rebill is not None:
        name = rebill.blocker.name
        yield Refusal(
            ErrorCode.REBILL_PENDING,
            Detail("{blocker} of {document}", blocker=name, document=facts.name),
            rebill.blocker,
            Detail("approve or discard that first"),
        )


def _not_credited(code: ErrorCode) -> Rule:
    def rule(facts: DocumentFacts) -> Iterator[Refusal]:
        if facts.memo is not None:
            blocker = facts.memo.blocker
            yield Refusal(
                code,
                Detail("{blocker} of {document}", blocker=blocker.name, document=facts.name),
                blocker,
                Detail("void that first"),
            )

    return rule


def _nothing_credited(facts: DocumentFacts) -> Iterator[Refusal]:
    for credit in facts.credits:
        yield Refusal(
            ErrorCode.IN_THE_WAY,
            Detail("{blocker} of {document}", blocker=credit.blocker.name, document=facts.name),
            credit.blocker,
            Detail("void it first"),
        )


def _no_collection(statuses: Iterable[AttemptStatus]) -> Rule:
    """Block acts that reduce the debt while a payment may be on its way."""
    chosen = frozenset(statuses)

    def rule(facts: DocumentFacts) -> Iterator[Refusal]:
        if facts.attempt_status in chosen:
            attempt = InTheWay("collection_attempt", facts.attempt_no or 0, Detail("attempt {number}", number=facts.attempt_no))
            detail = Detail(
                "{attempt} of {document} is {status}",
                attempt=attempt.name,
                document=facts.name,
                status=word(facts.attempt_status),
            )
            yield Refusal(ErrorCode.COLLECTING, detail, attempt, Detail("collect it again to get the result"))

    return rule


def _cycle_can_reopen(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.reopens and facts.pending_no is not None:
        blocker = InTheWay("invoice", facts.pending_no, Detail("pending invoice {invoice_no}", invoice_no=facts.pending_no))
        detail = Detail("{blocker} bills the next cycle", blocker=blocker.name)
        yield Refusal(ErrorCode.IN_THE_WAY, detail, blocker, Detail("discard that first"))


def _in_open_period(facts: DocumentFacts) -> Iterator[Refusal]:
    """A document of a closed period does not change: it is corrected by a document of today."""
    if facts.closed_through is None or facts.invoice_date is None or facts.invoice_date > facts.closed_through:
        return
    instead: str = Detail("credit its lines by a credit memo")
    if facts.kind == InvoiceKind.REBILL:
        instead = _rebill_again(facts.name)
    elif facts.kind in OFFSETTING_KINDS:
        instead = ""
    detail = Detail("{document} is dated {day}", document=facts.name, day=facts.invoice_date)
    yield Refusal(ErrorCode.PERIOD_CLOSED, detail, instead=instead)


def _due(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.due <= ZERO:
        yield Refusal(
            ErrorCode.ABOVE_WHAT_IS_OPEN, Detail("{document} has no open amount", document=facts.name), field="amount"
        )


def _something_to_credit(facts: DocumentFacts) -> Iterator[Refusal]:
    if facts.to_credit <= ZERO:
        yield Refusal(ErrorCode.ABOVE_WHAT_IS_OPEN, Detail("{document} has no amount left to credit", document=facts.name))


def _unless_asked(rule: Rule) -> Rule:
    """Skip the rule if the gateway may have been called: collecting again resolves the attempt, whatever is open now."""
    return lambda facts: iter(()) if facts.attempt_status in ASKED_ATTEMPTS else rule(facts)


def _paid(facts: DocumentFacts) -> Iterator[Refusal]:
    if not facts.has_payments:
        yield Refusal(
            ErrorCode.ABOVE_WHAT_IS_OPEN, Detail("{document} is not paid by any payment", document=facts.name), field="amount"
        )


def _payer(facts: DocumentFacts) -> Iterator[Refusal]:
    code = why_not_collected(facts.payer)
    if code is not None:
        yield Refusal(code, "")


NOT_REBILLABLE = {
    InvoiceStatus.PENDING: ErrorCode.REBILL_OF_PENDING,
    InvoiceStatus.DISCARDED: ErrorCode.REBILL_OF_DISCARDED,
    InvoiceStatus.VOIDED: ErrorCode.REBILL_OF_VOIDED,
}
CREDIT_ENTRIES = {
    EntryKind.WRITE_OFF.value: ErrorCode.REBILL_WRITTEN_OFF,
    EntryKind.DISPUTE.value: ErrorCode.REBILL_DISPUTED,
}


def _is_rebillable(facts: DocumentFacts) -> Iterator[Refusal]:
    """The document must be issued, and neither a credit memo nor a reversal."""
    if facts.kind == InvoiceKind.REVERSAL:
        yield _reversal(facts)
    elif facts.kind == InvoiceKind.CREDIT_MEMO:
        yield Refusal(ErrorCode.REBILL_OF_MEMO, facts.name, instead=_instead_of_memo(facts))
    elif facts.status != InvoiceStatus.APPROVED:
        yield Refusal(NOT_REBILLABLE[InvoiceStatus(facts.status)], facts.name, instead=_instead_of_unissued(facts))


def _instead_of_memo(facts: DocumentFacts) -> str:
    """A credit memo blocks the rebill of its invoice until it is voided. The memo of a rebill has replaced its invoice."""
    if facts.part_of is not None:
        return _rebill_again((facts.newest or facts.part_of).blocker.name)
    name = facts.original.blocker.name if facts.original else Detail("the invoice that it corrects")
    if facts.status == InvoiceStatus.VOIDED:
        return Detail("rebill {document}", document=name)
    return Detail("void it, then rebill {document}", document=name)


def _instead_of_unissued(facts: DocumentFacts) -> str:
    """Return how to correct what a document that is not issued would bill, or "" if there is no way."""
    if facts.kind == InvoiceKind.REBILL:
        name = facts.original.blocker.name if facts.original else Detail("its original")
        if facts.status == InvoiceStatus.PENDING:
            return Detail("discard it and rebill {document} again", document=name)
        return _rebill_again(name)
    if facts.kind == InvoiceKind.ONE_OFF:
        return Detail("discard it") if facts.status == InvoiceStatus.PENDING else Detail("bill its charges again")
    if facts.status == InvoiceStatus.PENDING:
        return Detail("discard or regenerate it") if facts.payer.is_billed else Detail("discard it")
    if facts.billed_by is not None:
        name = facts.billed_by.blocker.name
        if facts.billed_by.status != InvoiceStatus.PENDING:
            return Detail("rebill {document}, which bills its cycle", document=name)
        if facts.payer.is_billed:
            return Detail("discard or regenerate {document}", document=name)
        return Detail("discard {document}", document=name)
    return Detail("generate its cycle again") if facts.cycle_is_open and facts.payer.is_billed else ""


def _no_refund(facts: DocumentFacts) -> Iterator[Refusal]:
    """A refund blocks only while it leaves the document unpaid."""
    if facts.refund_no is not None and facts.due > ZERO:
        blocker = InTheWay("transaction", facts.refund_no, Detail("refund {number}", number=facts.refund_no))
        yield Refusal(
            ErrorCode.REBILL_REFUNDED,
            Detail("{blocker} of {document}", blocker=blocker.name, document=facts.name),
            blocker,
            Detail("credit its lines by a credit memo"),
        )


def _nothing_to_rebill_is_credited(facts: DocumentFacts) -> Iterator[Refusal]:
    for credit in facts.credits:
        yield Refusal(
            CREDIT_ENTRIES[credit.kind],
            Detail("{blocker} of {document}", blocker=credit.blocker.name, document=facts.name),
            credit.blocker,
            Detail("void it first"),
        )


OPEN = _no_collection(OPEN_ATTEMPTS)
ASKED = _no_collection(ASKED_ATTEMPTS)
LOWERED = (_issued, _owed, _not_rebilled(ErrorCode.ALREADY_REBILLED, _use_instead), _no_rebill_pending, OPEN)

RULES: dict[Action, tuple[Rule, ...]] = {
    **{action: (_decided(action),) for action in (Action.APPROVE, Action.DISCARD, *sorted(OF_CYCLES, key=attrgetter("value")))},
    Action.VOID: (
        _not_voided,
        _issued,
        _not_rebilled(ErrorCode.REBILLED, _rebill_again),
        _no_rebill_pending,
        _in_no_rebill,
        _not_credited(ErrorCode.CREDIT_MEMO_APPLIED),
        _nothing_credited,
        OPEN,
        _cycle_can_reopen,
        _in_open_period,
    ),
    Action.COLLECT: (_issued, _owed, _unless_asked(_due), _unless_asked(_payer)),
    Action.REFUND: (_issued, _owed, _paid),
    Action.CREDIT: (*LOWERED, _something_to_credit),
    Action.WRITE_OFF: (*LOWERED, _due),
    Action.DISPUTE: (*LOWERED, _due),
    Action.REBILL: (
        _is_rebillable,
        _not_rebilled(ErrorCode.ALREADY_REBILLED, _rebill_again),
        _no_rebill_pending,
        _no_refund,
        _not_credited(ErrorCode.REBILL_CREDITED),
        _nothing_to_rebill_is_credited,
        ASKED,
    ),
    Action.UNDO_VOID: (
        _is_voided_invoice,
        _not_restored,
        _not_billed_again,
        _no_cycle_pending,
    ),
    Action.UNDO_MEMO: (_is_memo, _in_open_period),
    Action.UNDO: (
        _is_undoable,
        _not_rebilled(ErrorCode.UNDO_BLOCKED, _undo_first),
        _no_rebill_pending,
        _not_credited(ErrorCode.UNDO_BLOCKED),
        _nothing_credited,
        ASKED,
        _in_open_period,
    ),
}


def why_not_issued_now(facts: DocumentFacts) -> Refusal | None:
    """Return why a pending rebill cannot be issued, as if its original had no pending rebill."""
    others = tuple(one for one in facts.corrected_by if one.status != InvoiceStatus.PENDING)
    return why_not(Action.REBILL, facts._replace(corrected_by=others))
