"""The settings of a client in sections, and what a change of each does to documents that are pending."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.models.identities import PAYEE_FIELDS, REPRESENTATIVE_FIELDS
from billing_site.common.languages import in_english
from billing_site.page_words import PAGE_WORDS
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice


class Effect(Enum):
    """When a setting counts. Each says what happens to pending documents, by their numbers."""

    GENERATING = gettext_noop(
        "Applies to what is generated from now on. The pending documents (%(pending)d) keep what they have; regenerate them to "
        "apply it."
    )
    ISSUING = gettext_noop(
        "Applies when a document is issued, so also to the pending documents (%(pending)d) when they are approved."
    )
    QUEUE = gettext_noop("Applies at once, also to the pending documents (%(pending)d) in the approval queue.")
    REBILLING = gettext_noop("Applies to rebills from now on. The pending rebills (%(rebills)d) stay as they are.")
    LATER = gettext_noop("Applies from now on. Pending documents do not change.")
    SIGNING_IN = gettext_noop(
        "Applies at once: people with such a role who have no second factor are signed out, and set one up when they sign in."
    )
    RUNS = gettext_noop("Applies to billing runs that are started from now on. Runs in progress keep their own limits.")


def help_of(name: str) -> str:
    """Return what a setting does, in plain words and the reader's language. Empty if its name says it."""
    text = in_english(Client._meta.get_field(name).help_text)  # type: ignore[union-attr]
    return gettext(PAGE_WORDS.get(text, text)) if text else ""


class Section(NamedTuple):
    """Settings that are changed together, each with its effect."""

    title: Any
    effects: Mapping[str, Effect]


def _all(effect: Effect, *names: str) -> dict[str, Effect]:
    return dict.fromkeys(names, effect)


SECTIONS: Mapping[str, Section] = {
    "company": Section(
        _("Company, as printed on documents"),
        _all(
            Effect.GENERATING,
            *("name", "address1", "address2", "city", "region", "postal_code", "country", "legal_name"),
            *("registration_number", "registration_scheme", "party_numbers", "tax_ids", "tax_number"),
            *("bank_name", "iban", "bic", "creditor_id", "electronic_scheme", "electronic_address"),
            *("contact_name", "contact_phone", "contact_email", "legal_text", "document_color"),
        ),
    ),
    "parties": Section(
        _("Payee and tax representative"),
        _all(Effect.GENERATING, *PAYEE_FIELDS, *REPRESENTATIVE_FIELDS),
    ),
    "approval": Section(
        _("Approval"),
        {
            "invoice_approval_required": Effect.LATER,
            **_all(Effect.QUEUE, "pending_discard_days", "four_eyes", "four_eyes_amount"),
            "second_person_for": Effect.LATER,
            **_all(Effect.QUEUE, "flag_first", "flag_change_percent", "flag_lines", "flag_missing_po"),
        },
    ),
    "billing": Section(
        _("Billing"),
        {
            "time_zone": Effect.LATER,
            "payment_terms_days": Effect.GENERATING,
            **_all(Effect.LATER, "credit_unused_on_change", "credit_unused_on_end"),
            **_all(
                Effect.RUNS,
                *("stop_above_refusals", "stop_above_refused_percent", "stop_above_percent_of_last", "stop_above_invoice"),
            ),
        },
    ),
    "tax": Section(
        _("Tax"),
        _all(
            Effect.GENERATING,
            *("taxable_address_order", "tax_categories", "missing_tax_data", "tax_rounding", "tax_engine"),
            *("tax_currency", "tax_currency_rates"),
        ),
    ),
    "collection": Section(
        _("Collection"),
        _all(Effect.ISSUING, "gateway", "collect_on_approval", "void_on_collection_failure", "dunning_on_collection_failure"),
    ),
    "rebills": Section(
        _("Rebills"),
        {
            **_all(Effect.REBILLING, "rebill_approval_required", "carry_unlisted_lines"),
            **_all(Effect.ISSUING, "collect_on_rebill", "original_due_date_on_rebill"),
            "credit_to": Effect.LATER,
        },
    ),
    "documents": Section(
        _("Statements and electronic invoices"),
        _all(Effect.ISSUING, "statement_on_issue", "attach_pdf", "reply_to", "language", "e_invoice", "e_invoice_profile"),
    ),
    "signing-in": Section(_("Signing in"), _all(Effect.SIGNING_IN, "second_factor_roles")),
    "privacy": Section(
        _("Personal data"),
        _all(
            Effect.LATER,
            *("keep_documents_years", "keep_calls_days", "keep_mails_days", "keep_event_data_days", "keep_accesses_days"),
        ),
    ),
    "calls": Section(_("Calls of programs"), _all(Effect.LATER, "never_allow_used_receipt_id")),
}
"""The sections by the names that their addresses have."""


def effect_of(name: str) -> Effect:
    return next(section.effects[name] for section in SECTIONS.values() if name in section.effects)


def said_effects(client: Client, effects: set[Effect]) -> dict[Effect, str]:
    """Return each effect in words, with the numbers of the client's documents that are pending now. Two queries."""
    pending = Invoice.objects.filter(client=client, status=InvoiceStatus.PENDING)
    rebills = pending.filter(kind=InvoiceKind.REBILL).count()
    counts = {"pending": pending.count(), "rebills": rebills}
    return {effect: gettext(effect.value) % counts for effect in Effect if effect in effects}
