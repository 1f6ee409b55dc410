"""The public types of events: what each is about, and the members of its `before` and `after`.

These names are a promise to programs outside. A type or member may be added; none is renamed or removed. A member is in an
event only if it is known of that act.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class EventType(NamedTuple):
    """A public type. `acts` are the acts whose events have it, unless the act says otherwise."""

    name: str
    meaning: str
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()

    @property
    def recorded_as(self) -> tuple[str, ...]:
        return self.acts or (self.name,)


_WHY = ("reason_code", "comments")
_GENERATED = ("status", "total_amount", "currency", "corrects", *_WHY, "excluded", "recounted")
_ISSUED = ("kind", "document_number", "invoice_date", "due_date", "total_amount", "currency", "corrects")
_VERSION = ("version", "total_amount", "currency", "reason")
_DISCARDED = ("status", "reason", "replaced_by")
_VOIDED = ("status", *_WHY, "reopened", "kind", "reversal")
_CHARGED = ("status", "attempt_no", "amount", "transaction_id")
_REFUND = ("transaction_id", "payment", "amount", "status", "gateway_refund_id", *_WHY)
_RULE = ("rule", "rule_name", "rule_version")
_RULES = ("version", "rules", "comments")
_STAND_IN = ("stand_in_no", "person", "stand_in", "first_day", "last_day")
_GIVEN = ("transaction_id", "amount", *_WHY)
_REFERENCES = ("po_num", "order_line", "accounting_reference", "object_reference")
_ORDER = ("order_no", "client_order_id", "service_id", "description", "units", "rate_per_unit", "charge_date", *_REFERENCES)
_REQUEST = ("id", "kind", "acct_no", "invoice_no", "transaction_id", "amount", "currency", "state")
_RUN = ("run", "state", "reason", "is_dry_run", "outcomes")
_CAMPAIGN = ("campaign", "state", "reason")
_SENT = ("email", "message")
_PERIOD = ("period", "first_day", "last_day", "state", "comments")
_OF_PERIODS = (
    ("closed", "A period was closed: nothing is dated, numbered or changed in it any more."),
    ("reopening_requested", "A person asked for the reopening of the last closed period."),
    ("reopened", "A second person approved the reopening: the period is open again."),
    ("kept_closed", "The reopening was withdrawn or refused."),
)
_PERSON = ("username", "roles", "is_active")
_ENDPOINT = ("endpoint", "url", "event_types", "description", "is_on", "reason")

DOCUMENTS = (
    EventType("invoice.generated", "An invoice or rebill was generated, and issued in the same act.", _GENERATED),
    EventType("invoice.pending", "An invoice or rebill was generated, and needs approval.", _GENERATED),
    EventType("invoice.issued", "A document got its number and is owed. Credit memos have a type of their own.", _ISSUED),
    EventType(
        "invoice.approved",
        "A pending document was approved. It is issued in the same act.",
        ("status", "document_number", "total_amount", "reason", *_RULE, "approvers"),
        ("status",),
    ),
    EventType(
        "invoice.recalculated",
        "A pending document was recalculated from the data of that moment. Its number is the same.",
        _VERSION,
        ("version", "total_amount"),
    ),
    EventType(
        "invoice.adjusted",
        "The lines of a pending document were changed by hand: `adjustments` are current now.",
        (*_VERSION, "adjustments", *_WHY),
        ("version", "total_amount"),
    ),
    EventType(
        "invoice.approval_given",
        "A person approved a document that needs several people. It stays pending.",
        (*_RULE, "approvals_missing", "reason"),
    ),
    EventType(
        "invoice.approval_stopped",
        "The automatic approval of a document was stopped by a person, or refused.",
        (*_RULE, "reason"),
    ),
    EventType("invoice.approval_resumed", "The automatic approval of a document was resumed.", (*_RULE, "reason")),
    EventType("invoice.escalated", "A document is pending for longer than its approval rule allows.", (*_RULE, "pending_days")),
    EventType("invoice.discarded", "A pending document was discarded.", _DISCARDED, ("status",)),
    EventType("invoice.regenerated", "A pending document was replaced by a new one, `replaced_by`.", _DISCARDED, ("status",)),
    EventType(
        "invoice.rebilled",
        "An issued invoice was rebilled: the credit memo `memo` offsets it, and `rebill` replaces it.",
        ("rebill", "memo", "difference", *_WHY),
    ),
    EventType(
        "invoice.rebill_undone",
        "A rebill of the invoice was undone: `reversals` offset the rebill and its credit memo.",
        ("rebill", "memo", "reversals", "difference", "balance", *_WHY),
        ("balance",),
    ),
    EventType(
        "invoice.memo_undone",
        "A credit memo of the invoice was undone: `reversal` offsets it.",
        ("memo", "reversal", "balance", *_WHY),
        ("balance",),
    ),
    EventType(
        "invoice.void_undone",
        "The void of the invoice was undone: `invoice` charges again what it charged, with a number of its own.",
        ("invoice", "balance", *_WHY),
        ("balance",),
    ),
    EventType("invoice.rebill_pending", "A rebill of the invoice needs approval.", ("rebill",), acts=("invoice.rebill_waits",)),
    EventType("invoice.voided", "An issued document was voided.", _VOIDED, ("status",)),
    EventType(
        "invoice.paid",
        "Payments or cash credits have paid all that was open. Paid again after a void, it comes again.",
        ("open_amount", "total_amount", "currency"),
        ("open_amount",),
    ),
    EventType(
        "invoice.overdue",
        "The due date is past, and something is open. Once for each document.",
        ("due_date", "open_amount", "currency"),
    ),
    EventType(
        "invoice.remarked",
        "The note, the custom status or the posting status of a document was changed.",
        ("client_notes", "custom_status_label", "posting_status", "reason"),
        ("client_notes", "custom_status_label", "posting_status"),
    ),
    EventType("invoice.periods_waived", "What a voided invoice billed will not be billed again.", ("comments",)),
    EventType("credit_memo.issued", "A credit memo was issued, alone or with a rebill.", _ISSUED),
    EventType("credit_memo.voided", "A credit memo was voided.", _VOIDED, ("status",)),
)
MONEY = (
    EventType("collection.collected", "The gateway has charged the open amount.", _CHARGED, ("status",)),
    EventType("collection.failed", "The gateway has declined.", _CHARGED, ("status",), ("collection.declined",)),
    EventType("collection.unknown", "The gateway gave no answer. It is asked again.", _CHARGED, ("status",)),
    EventType(
        "payment.recorded",
        "A payment from outside a gateway was recorded.",
        ("transaction_id", "amount", "type", "reference"),
    ),
    EventType("payment.applied", "An unapplied payment or credit was applied.", ("transaction_id", "left"), ("left",)),
    EventType(
        "payment.moved",
        "A payment was moved to or from the invoice. An amount below zero went away.",
        ("transaction_id", "amount", "due"),
        ("due",),
    ),
    EventType("cash_credit.added", "The account was given a cash credit.", _GIVEN),
    EventType("write_off.added", "An amount of an invoice was written off.", _GIVEN),
    EventType("dispute.added", "An amount of an invoice is disputed.", _GIVEN),
    EventType(
        "transaction.voided",
        "A transaction was voided.",
        ("transaction_id", *_WHY),
        ("transaction_id", "kind", "amount"),
    ),
    EventType("refund.requested", "A gateway was asked for a refund.", _REFUND, acts=("refund.asked",)),
    EventType("refund.made", "A refund was made.", _REFUND, acts=("refund.done",)),
    EventType("refund.failed", "The gateway has refused a refund.", _REFUND),
    EventType("refund.withdrawn", "A refund was undone before the gateway was asked for it.", _REFUND),
    EventType(
        "gateway.amount_differs",
        "A gateway reports another amount than was asked for. Nothing was recorded.",
        ("said", "status", "reference"),
        ("asked",),
    ),
)
ACCOUNTS = (
    EventType(
        "account.dunning_started",
        "A failed collection put the account into dunning.",
        ("status",),
        ("status",),
        ("account.dunning",),
    ),
    EventType("account.dunning_ended", "Nothing is overdue any more.", ("status",), ("status",)),
    *(EventType(f"period.{act}", meaning, _PERIOD) for act, meaning in _OF_PERIODS),
    EventType("account.nothing_to_bill", "A cycle without charges: dates moved on without a document.", ("bill_date", "kind")),
    EventType("account.charge_left_out", "A charge is too large to be billed, and was left out.", acts=("account.left_out",)),
    EventType("payment_method.added", "A payment method was added.", ("payment_method", "type", "label")),
    EventType("order.added", "A one-time charge was ordered.", _ORDER),
    EventType("order.changed", "A one-time charge was changed.", _ORDER, _ORDER),
    EventType("order.cancelled", "A one-time charge was cancelled.", (), _ORDER),
    EventType("coupon.redeemed", "The account redeemed a coupon.", ("code", "redemption_no")),
    EventType("coupon.withdrawn", "A redemption was withdrawn.", (), ("code",)),
    EventType(
        "service_credit.added",
        "The account was given a service credit.",
        ("credit_no", "amount", "reason", "expires_on"),
        acts=("credit.added",),
    ),
    EventType(
        "service_credit.expired",
        "The last day of a service credit was set.",
        ("credit_no", "expires_on"),
        ("expires_on",),
        ("credit.expired",),
    ),
    EventType(
        "usage.removed",
        "Usage that is not billed was removed.",
        (),
        ("record_id", "plan_instance_id", "service_id", "units", "used_at", "used_on", "description"),
    ),
    EventType("statement.requested", "A statement must be sent.", _SENT),
    EventType("statement.sending", "A statement is being sent.", _SENT),
    EventType("statement.sent", "A statement was sent.", _SENT),
    EventType("statement.failed", "A statement could not be sent.", _SENT),
    EventType("statement.bounced", "The mail server of the recipient has sent a statement back.", _SENT),
)
WORK = (
    EventType("run.paused", "A person has paused a billing run.", _RUN, ("state",)),
    EventType("run.resumed", "A billing run goes on.", _RUN, ("state",), ("run.running",)),
    EventType("run.cancelling", "A person has cancelled a billing run.", _RUN, ("state",)),
    EventType("run.cancelled", "A cancelled billing run has ended.", _RUN, ("state",)),
    EventType("run.stopped", "A limit has stopped a billing run.", _RUN, ("state",)),
    EventType("run.finished", "A billing run, or a dry run, has settled all its accounts.", _RUN, ("state",)),
    EventType("campaign.created", "A rebill campaign was created. Its rebills are previewed.", ("name", "documents")),
    EventType("campaign.previewing", "The rebills of a campaign are previewed again.", _CAMPAIGN, ("state",)),
    EventType("campaign.approved", "A rebill campaign was approved.", _CAMPAIGN, ("state",)),
    EventType("campaign.running", "The rebills of a campaign are issued.", _CAMPAIGN, ("state",)),
    EventType("campaign.paused", "A person has paused a rebill campaign.", _CAMPAIGN, ("state",)),
    EventType("campaign.stopped", "A limit or a refusal has stopped a rebill campaign.", _CAMPAIGN, ("state",)),
    EventType("campaign.statements_requested", "The statements of a campaign's rebills must be sent.", ("statements",)),
    EventType("campaign.finished", "A rebill campaign has settled all its documents.", _CAMPAIGN, ("state",)),
    EventType("campaign.undo_asked", "The undo of a campaign needs a second person.", _CAMPAIGN, ("state",)),
    EventType("campaign.undoing", "The rebills of a campaign are undone.", _CAMPAIGN, ("state",)),
    EventType("campaign.cancelling", "A person has cancelled a rebill campaign.", _CAMPAIGN, ("state",)),
    EventType("campaign.cancelled", "A cancelled rebill campaign has ended.", _CAMPAIGN, ("state",)),
    EventType(
        "audit.finding",
        "The audit of the client found a broken rule. One event for each finding.",
        ("audit_run", "audit", "finding"),
    ),
    EventType("approval.requested", "An act needs a second person.", _REQUEST, acts=("act.requested",)),
    EventType("approval.approved", "A second person has approved an act. It was done.", _REQUEST, acts=("act.approved",)),
    EventType("approval.discarded", "A requested act was discarded.", _REQUEST, acts=("act.discarded",)),
    EventType("approval.withdrawn", "A requested act was withdrawn.", _REQUEST, acts=("act.withdrawn",)),
    EventType("settings.proposed", "A change of four-eyes settings needs confirmation.", ("*",), ("*",)),
    EventType("settings.confirmed", "A change of four-eyes settings was confirmed.", ("*",), ("*",)),
    EventType("settings.withdrawn", "A change of four-eyes settings was withdrawn.", ("*",), ("*",)),
    EventType("approval_rules.made", "A new version of the approval rules was made. It is not on.", _RULES),
    EventType("approval_rules.switched_on", "A version of the approval rules was switched on.", _RULES),
    EventType("approval_rules.switched_off", "A version of the approval rules was switched off.", _RULES),
    EventType("stand_in.set", "A person stands in for another one in approval rules.", _STAND_IN),
    EventType("stand_in.removed", "A person stands in no more.", (), _STAND_IN),
    EventType("person.added", "A person was added who works for the client.", _PERSON),
    EventType("person.changed", "A person got other roles, or may or may not sign in any more.", _PERSON, _PERSON),
    EventType("person.factor_added", "A person added a second factor for signing in.", ("username", "factor")),
    EventType("person.factor_removed", "A person removed a second factor.", ("username", "factor")),
    EventType("person.recovery_codes_made", "A person made new recovery codes.", ("username",)),
    EventType("person.recovery_code_used", "A person signed in with a recovery code.", ("username", "left")),
    EventType("person.factors_reset", "An administrator removed a person's second factors.", ("username", "factors", "reason")),
    EventType("person.signed_out", "The sessions of a person were ended.", ("username", "sessions", "reason")),
    EventType("person.password_changed", "A person changed the own password.", ("username",)),
    EventType("schedule.changed", "A daily task was set, or switched off.", ("act", "hour", "is_on")),
    EventType("customer.exported", "A person or program exported all data of a customer."),
    EventType("customer.erased", "The personal data of a customer was blanked.", ("rows", "events", "digest")),
    EventType(
        "customer.texts_blanked", "What was written about old acts of an erased customer was blanked.", ("rows", "digest")
    ),
    EventType(
        "events.personal_data_blanked", "Old events no longer name customers.", ("rows", "digest", "older_than", "through")
    ),
    EventType(
        "document.blanked",
        "A document of an erased customer is no longer kept by law, and no longer names the customer.",
        ("kept_until", "fingerprint", "fingerprint_of_issue"),
    ),
    EventType("clock.advanced", "The client's virtual clock was moved.", ("hours", "local_time")),
    EventType("files.tried_again", "PDFs that could not be made are made again.", ("files",)),
    EventType("webhook.added", "An address for webhooks was added.", _ENDPOINT),
    EventType("webhook.changed", "An address for webhooks was changed, or switched on or off.", _ENDPOINT, _ENDPOINT),
    EventType("webhook.secret_rotated", "An address for webhooks got a new secret.", ("endpoint", "old_secret_until")),
    EventType("webhook.disabled", "An address for webhooks did not answer, and was switched off.", _ENDPOINT),
    EventType("webhook.removed", "An address for webhooks was removed.", (), _ENDPOINT),
    EventType("webhook.test", "A test that a person or program asked for.", ("endpoint",)),
)
EVENT_TYPES: Mapping[str, EventType] = MappingProxyType(
    {one.name: one for one in (*DOCUMENTS, *MONEY, *ACCOUNTS, *WORK)},
)
"""The public types by name, in the order of the documentation."""

_NAMED_BY_THE_ACT = ("invoice.pending", "invoice.regenerated", "credit_memo.issued", "credit_memo.voided")
"""Types that no act has by its name alone: whoever records the act gives them."""

TYPE_OF_ACT: Mapping[str, str] = MappingProxyType(
    {act: one.name for one in EVENT_TYPES.values() if one.name not in _NAMED_BY_THE_ACT for act in one.recorded_as}
)
"""The type of an act's events. Acts that are not here are refusals: their events are for people, and have no type."""

PENDING, REGENERATED, MEMO_ISSUED, MEMO_VOIDED = _NAMED_BY_THE_ACT
NOT_PUBLIC = ""
TEST = "webhook.test"


def matches(type_name: str, patterns: tuple[str, ...] | list[str]) -> bool:
    """Whether a type is one of the patterns: names, or a beginning with a star such as invoice.*. None of them: every type."""
    return not patterns or any(type_name == one or (one.endswith(".*") and type_name.startswith(one[:-1])) for one in patterns)


def unknown_patterns(patterns: tuple[str, ...] | list[str]) -> list[str]:
    """Return the patterns that no type matches, in order."""
    return [one for one in patterns if not any(matches(name, [one]) for name in EVENT_TYPES)]
