"""PURE: the one list of columns that can hold personal data of a customer, and of those that cannot.

A customer is an account with its contacts. Every column with text, JSON or a file is in one of the two lists; a test
compares them with the models. Versions of master data have the columns of their rows.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from invoices.services.privacy.blanking import PAYER


class Kept(Enum):
    """When the columns of a table are blanked."""

    UNTIL_ERASED = "until the person is erased"
    WITH_DOCUMENTS = "as long as documents are kept by law"


class Personal(NamedTuple):
    """The personal columns of a model, the path from a row to the number of its account, and when they are blanked."""

    path: str
    columns: tuple[str, ...]
    kept: Kept = Kept.UNTIL_ERASED


REFERENCES = (
    *("buyer_reference", "accounting_reference", "project_reference", "contract_reference", "sales_order_reference"),
    *("receiving_reference", "despatch_reference", "tender_reference", "object_reference", "supporting_reference"),
    *("supporting_description", "supporting_link", "delivery_name", "delivery_location"),
)
IDENTITY = (
    *("registration_number", "registration_scheme", "electronic_scheme", "electronic_address", "tax_id", "party_number"),
    *REFERENCES,
)
ADDRESS = ("address1", "address2", "city", "region", "postal_code")

PERSONAL: Mapping[str, Personal] = {
    "accounts.account": Personal("pk", ("client_acct_id", "tags", "note", *IDENTITY)),
    "accounts.contact": Personal("account", ("name", "company", "email", "phone", *ADDRESS, *IDENTITY)),
    "accounts.paymentmethod": Personal("account", ("label", "token", *PAYER)),
    "accounts.planinstance": Personal("account", ("po_num",)),
    "accounts.event": Personal("account", ("message", "detail", "before", "after")),
    "accounts.apicall": Personal("account_no", ("message", "receipt_id")),
    "invoices.statement": Personal("invoice__account", ("email", "message", "message_id", "provider_id")),
    "invoices.collectionattempt": Personal("invoice__account", ("token",)),
    "invoices.usage": Personal("account", ("description",)),
    "invoices.onetimecharge": Personal(
        "account", ("description", "po_num", "order_line", "accounting_reference", "object_reference")
    ),
    "invoices.servicecredit": Personal("account", ("reason",)),
    "invoices.datachange": Personal("account", ("text",)),
    "invoices.runoutcome": Personal("account", ("message", "detail")),
    "invoices.decisionoutcome": Personal("invoice__account", ("message", "detail")),
    "invoices.webhooktry": Personal("delivery__event__account", ("answer",)),
    "invoices.invoice": Personal(
        "account", ("bill_to", "tax_basis", "comments", "client_notes", "custom_status_label"), Kept.WITH_DOCUMENTS
    ),
    "invoices.invoiceline": Personal("invoice__account", ("comments",), Kept.WITH_DOCUMENTS),
    "invoices.documentfile": Personal("invoice__account", ("name",), Kept.WITH_DOCUMENTS),
    "invoices.documentversion": Personal("invoice__account", ("comments", "content", "generated"), Kept.WITH_DOCUMENTS),
    "invoices.adjustment": Personal("invoice__account", ("why_not", "comments"), Kept.WITH_DOCUMENTS),
    "invoices.ledgerentry": Personal("account", ("comments",), Kept.WITH_DOCUMENTS),
    "invoices.payment": Personal("account", ("reference",), Kept.WITH_DOCUMENTS),
    "invoices.requestedact": Personal("account", ("arguments",), Kept.WITH_DOCUMENTS),
    "rebills.campaignitem": Personal("account", ("changes", "message", "detail"), Kept.WITH_DOCUMENTS),
}
"""The columns that can hold personal data of a customer, by model."""

NEVER_EXPORTED: Mapping[str, tuple[str, ...]] = {
    "accounts.paymentmethod": ("token",),
    "invoices.collectionattempt": ("token", "idempotency_key"),
}
"""Secrets by which money could be taken."""

NOT_PERSONAL: Mapping[str, str] = {
    "accounts.client": (
        "representative_tax_id party_numbers tax_number representative_name payee_number representative_city payee_name "
        "representative_address1 registration_scheme representative_country payee_registration_number second_factor_roles "
        "representative_postal_code creditor_id "
        "registration_number electronic_scheme electronic_address legal_name tax_ids contact_name contact_phone contact_email "
        "legal_text bank_name iban bic logo document_color address1 address2 city region postal_code country name time_zone "
        "second_person_for taxable_address_order tax_categories tax_engine gateway tax_currency tax_currency_rates reply_to"
    ),
    "accounts.collectionthreshold": "currency",
    "accounts.paymentmethod": "card_network",
    "accounts.apikey": "name prefix secret_hash allowed_addresses stands_for",
    "accounts.servicelocation": "address1 address2 city region postal_code country client_service_location_id name",
    "accounts.service": (
        "client_service_id name gl_code tax_category unit_code item_number classifications buyer_item_number origin_country"
    ),
    "accounts.plan": "client_plan_id name",
    "accounts.planminimum": "currency",
    "accounts.account": "tax_exemption_reason currency",
    "accounts.contact": "tax_exemption_reason country",
    "accounts.rateschedule": "currency",
    "accounts.savedview": "list_name name query",
    "accounts.settingschange": "before after",
    "accounts.receipt": "receipt_id method arguments_hash token answer",
    "accounts.staffsession": "session_data address browser session_key",
    "accounts.authenticatorapp": "secret",
    "accounts.passkey": "credential_id public_key name",
    "accounts.singlesignon": "subject issuer",
    "accounts.recoverycode": "code_hash",
    "accounts.event": "act type process caller request_id call_token",
    "accounts.apicall": "method address caller request_id",
    "accounts.personaldataaccess": "by",
    "invoices.numberseries": "prefix suffix",
    "invoices.invoice": (
        "currency seller tax_exemption_reason document_number fingerprint generated_by approved_by posting_user"
    ),
    "invoices.invoiceline": (
        "description plan_name gl_code tax_category unit_code explanation coupon_code proration_text po_num "
        "order_line accounting_reference object_reference"
    ),
    "invoices.linebasis": "terms",
    "invoices.taxdetail": "authority jurisdiction exemption_reason",
    "invoices.ledgerentry": "created_by",
    "invoices.dailysum": "currency",
    "invoices.payment": "gateway gateway_payment_id",
    "invoices.refund": "idempotency_key gateway_refund_id proc_status_code proc_status_text",
    "invoices.approvalrules": "comments made_by switched_by",
    "invoices.approvalrule": "name kinds flags currency tag role",
    "invoices.givenapproval": "given_by fingerprint",
    "invoices.approvalprogress": "stopped_by reason",
    "invoices.standin": "set_by",
    "invoices.auditrun": "asked_by",
    "invoices.auditfinding": "audit words",
    "invoices.collectionattempt": (
        "idempotency_key currency gateway message proc_cvv_response proc_avs_response proc_cavv_response proc_status_code "
        "proc_status_text proc_payment_id proc_auth_code proc_merch_comments requested_by"
    ),
    "invoices.gatewayevent": "gateway event_id type",
    "invoices.surcharge": "name currency",
    "invoices.coupon": "name currency code gl_code",
    "invoices.servicecredit": "gl_code",
    "invoices.documentfile": "reason detail media_type template_version sha256",
    "invoices.closedperiod": "closed_by reopening_asked_by comments reopened_by",
    "invoices.reasoncode": "name",
    "invoices.requestedact": "currency arguments_hash requested_by decided_by",
    "invoices.datachange": "country",
    "invoices.decision": "reason client_notes custom_status_label",
    "invoices.runfilter": "name filter",
    "invoices.billingrun": "filter started_by stop_reason stop_detail stopped_by",
    "invoices.runpart": "currency",
    "invoices.runoutcome": "currency flags",
    "invoices.statement": "requested_by",
    "invoices.mailtext": "subject opening",
    "invoices.taxrate": "name country region category exemption_reason",
    "invoices.taxanswer": "unanswered missing reason",
    "invoices.usage": "record_id",
    "invoices.onetimecharge": "client_order_id",
    "invoices.documentversion": "made_by tax_answer",
    "invoices.adjustment": "line title change changes made_by",
    "invoices.webhookendpoint": "url description event_types off_because secret old_secret created_by",
    "invoices.webhookdelivery": "about",
    "invoices.webhooktry": "address headers problem",
    "invoices.worker": "host name",
    "invoices.schedule": "message detail",
    "invoices.seal": "digest marks key_id code",
    "invoices.sealhead": "name",
    "invoices.sealprogress": "open",
    "invoices.erasure": "erased_by reason",
    "invoices.blankeddocument": "fingerprint files",
    "invoices.blankedrow": "hash_before hash_after digest",
    "rebills.rebillcampaign": (
        "name selection rules comments built_by changed_by fingerprint approved_by undo_asked_by undo_approved_by stop_reason "
        "stop_detail"
    ),
    "rebills.campaignitem": "currency fingerprint",
    "rebills.campaigntax": "authority jurisdiction",
}
"""Columns that hold what belongs to the client, its staff and programs, its catalogue, or only numbers and codes.
Answers under receipts repeat what is stored elsewhere; those of an erased person are emptied too."""
