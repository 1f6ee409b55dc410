"""The one table of errors, and the exception that carries a row of it. Imports nothing of ours.

Codes below 90000 and their messages are Aria's (its "Unabridged List" of API error messages and the group pages). Codes from
90001 up are ours: Aria's pages name no code for these cases. The HTTP status is used by the resource API only: Aria's
method calls always answer 200.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Self

from django.utils.translation import gettext


class ErrorCode(Enum):
    """One row per error: number, message, HTTP status. `{field}` in a message is filled with the wire name of the field."""

    API_NOT_FOUND = (-1, "API not found", 404)
    OK = (0, "OK", 200)
    UNEXPECTED = (1001, "unexpected error", 500)
    NO_DATA = (1002, "no data found", 404)
    HOST_NOT_PERMITTED = (1003, "host not permitted", 403)
    AUTHENTICATION = (1004, "authentication error", 401)
    NO_LINE_ITEMS = (1008, "no line items provided", 400)
    ACCOUNT_NOT_FOUND = (1009, "account does not exist", 404)
    MISSING_PARAMETER = (1010, "Missing required parameter: {field}", 400)
    INVALID_FORMAT = (1012, "invalid input format", 400)
    INVALID_INPUT = (1016, "invalid input", 400)
    INVALID_DATE = (1024, "invalid date format", 400)
    INVALID_BOOLEAN = (1033, "a parameter that represents a true or false value contains invalid input", 400)
    INVALID_DIRECTIVE = (1039, "invalid action directive", 400)
    INVALID_INVOICE_MODE = (1059, "Invalid input: invoice_mode should be either 0 or 1", 400)
    COMBINE_INVOICES = (
        1068,
        "Combine invoices must be either 1-Long Cycle or 2-Short Cycle or 3-Consider Client Param.",
        400,
    )
    TRANSACTION_NOT_FOUND = (2001, "transaction does not exist", 404)
    VOIDING_TRANSACTION = (2002, "transaction is a voiding transaction", 409)
    ALREADY_VOIDED = (2003, "transaction already voided", 409)
    INVOICE_NOT_FOUND = (3004, "Invoice does not exist", 404)
    REGENERATION_FAILED = (3013, "pending invoice regen failed - old invoice could not be discarded", 409)
    NOT_PENDING = (3015, "invalid pending invoice number", 409)
    INVALID_REASON = (3024, "Invalid reason code", 400)
    NOTES_TOO_LONG = (3044, "Client notes exceeds length limit of 1000 characters.", 400)
    NOT_BY_ITSELF = (
        3053,
        "Individual invoice transactions cannot be voided independent of the invoice. Use void_invoice_m API to void the "
        "entire invoice.",
        409,
    )
    CREDIT_MEMO_APPLIED = (
        3095,
        "The invoice cannot be voided because one or more credit memos have been applied to it.",
        409,
    )
    REBILLED = (3096, "The invoice cannot be voided because it has been rebilled.", 409)
    IN_PROGRESS = (
        3108,
        "The invoice for this account cannot be generated at this time, since there is another invoice in progress for the "
        "same billing group.",
        409,
    )
    COLLECTION_DECLINED = (4011, "cc authorization failed", 402)
    ALT_BILL_DAY_RANGE = (5020, "alternate billing day must be between 1 and 31", 400)
    NO_PENDING_INVOICE = (5022, "account does not have a pending invoice", 404)
    TEST_ACCOUNT = (7001, "Recurring billing not allowed because account is a TEST account", 409)
    ACCOUNT_STATUS = (7002, "Recurring billing not allowed because account status prevents it", 409)
    NO_BILLABLE_PLAN = (7003, "Recurring billing not allowed because account does not have a billable service plan", 409)
    PENDING_INVOICE = (
        7006,
        "Recurring billing not allowed because account has a pending invoice on file and awaiting approval",
        409,
    )
    BILL_DATE_IN_FUTURE = (
        7007,
        "Recurring billing not allowed because account\u2019s next anniversary billing date is in the future",
        409,
    )
    COLLECTION_TEST_ACCOUNT = (7021, "Electronic collection not allowed because account is a TEST account", 409)
    COLLECTION_STATUS = (7022, "Electronic collection not allowed because account status prevents it", 409)
    NO_ELECTRONIC_METHOD = (
        7025,
        "Electronic collection not allowed because no valid electronic form of payment on file",
        409,
    )
    ALT_BILL_DAY_NOT_FIRST = (7026, "Pro-ration to new bill day only supported for first invoice", 409)
    NO_PLAN_INSTANCE = (14046, "Invalid Plan instance number", 404)
    NO_CLIENT_PLAN_INSTANCE = (14047, "Invalid client Plan instance identifier", 404)
    MISSING_MEMO_COMMENTS = (29007, "Missing Credit Memo Comments", 400)

    APPROVAL_NOT_PERMITTED = (90001, "You have no permission to approve invoices. Ask an administrator for it", 403)
    FOUR_EYES = (90002, "You cannot approve your own document or request. Another person must approve it", 403)
    DOCUMENT_MOVED = (90003, "The document has changed since you saw it. Read it again, then repeat the request", 409)
    TAXATION_FAILED = (90004, "The tax engine failed. Nothing was written. Try again later", 502)
    CLOCK_IN_PRODUCTION = (90005, "The virtual clock is not available in production", 403)
    CLOCK_BACKWARDS = (90006, "The virtual clock can only move forward. Give a later time", 400)
    CURRENCY_MISMATCH = (90007, "The currency is not the currency of the account", 409)
    AMOUNT_TOO_LARGE = (
        90008,
        "The amount is too large to be stored exactly",
        409,
    )
    PERMISSION = (90009, "You have no permission for this. Ask an administrator for it", 403)
    RATE_TERMS = (90010, "The price is incomplete or its parts contradict each other", 400)
    NO_RATE = (90011, "The charge has no price that is valid on this day", 409)
    USAGE_NOT_CHARGED = (90012, "No plan of the account charges for this usage", 409)
    RECORD_ID_USED = (90013, "This id is already used by another record", 409)
    COUPON_REDEEMED = (90014, "The account has already redeemed this coupon", 409)
    COUPON_CLOSED = (90015, "The coupon cannot be redeemed", 409)
    ON_AN_INVOICE = (90016, "Already billed on an invoice; it can no longer be changed", 409)

    NOT_ISSUED = (90017, "The document is not issued", 409)
    COLLECTING = (90018, "A collection of the invoice is in progress, or its outcome is unknown", 409)
    OUTCOME_UNKNOWN = (
        90019,
        "The payment gateway did not report the outcome. Collect again: the gateway is asked for the "
        "outcome before anything is charged",
        202,
    )
    TOKEN_REFUSED = (90020, "The payment gateway did not accept this token", 400)
    ABOVE_WHAT_IS_OPEN = (90021, "The amount exceeds the open balance", 409)
    IN_THE_WAY = (90022, "Another transaction or document must be corrected first", 409)
    EVENT_NOT_SIGNED = (90023, "The event has no valid, recent signature of the payment gateway", 400)
    EVENT_SEEN = (90024, "The event was already received", 200)
    COLLECTION_NOT_PERMITTED = (
        90025,
        "You have no permission to collect invoices or record payments. Ask an administrator for it",
        403,
    )
    CORRECTION_NOT_PERMITTED = (
        90026,
        "You have no permission to void, credit, write off, dispute or refund. Ask an administrator for it",
        403,
    )
    REFUND_REFUSED = (90027, "The payment gateway refused the refund", 402)

    PLAN_HAS_BEGUN = (90062, "The plan has already started; it can no longer be removed", 409)
    PLAN_IS_BILLED = (90063, "The plan is already billed on an invoice; it can no longer be removed", 409)

    REBILL_NOT_PERMITTED = (90028, "You have no permission to rebill invoices. Ask an administrator for it", 403)
    LINE_TERMS = (90029, "The rate, units and amount of a line do not agree", 400)
    REBILL_OF_PENDING = (90030, "A pending invoice cannot be rebilled, because it is not issued", 409)
    REBILL_OF_DISCARDED = (90031, "A discarded invoice cannot be rebilled, because it was never issued", 409)
    REBILL_OF_VOIDED = (90032, "A voided invoice cannot be rebilled", 409)
    ALREADY_REBILLED = (90033, "The invoice is already rebilled", 409)
    REBILL_PENDING = (90034, "A rebill of the invoice is pending", 409)
    REBILL_OF_MEMO = (90035, "A credit memo cannot be rebilled", 409)
    REBILL_REFUNDED = (90036, "A payment of the invoice was refunded, so the invoice is open again", 409)
    REBILL_CREDITED = (90037, "The invoice has a credit memo that is not voided", 409)
    REBILL_WRITTEN_OFF = (90038, "The invoice has a write-off that is not voided", 409)
    REBILL_DISPUTED = (90039, "The invoice is disputed", 409)
    PART_OF_REBILL = (90041, "The document is part of a rebill", 409)
    TAX_LINE = (90042, "A tax line cannot be changed, because taxes are recalculated. Change the charge lines instead", 400)
    NO_STATEMENT_ADDRESS = (90043, "No contact of the account has an e-mail address for statements. Add one", 409)
    STATEMENT_NOT_SENT = (90044, "The statement could not be sent", 502)

    AMOUNT_OR_ALL = (90047, "Give exactly one of: an amount, lines, or all: true for the whole open amount", 400)
    NOT_SUPPORTED = (90046, "This argument is not supported. Leave it out", 400)

    KEY_OF_ANOTHER_REQUEST = (90045, "This Idempotency-Key was already used for another request. Send a new key", 422)

    LEFT_OUT = (90050, "The amount is too large for an invoice and was not billed", 409)
    REBILL_BELOW_ZERO = (90058, "The total of a rebill cannot be below zero", 400)
    PRICE_NOT_ON_DOCUMENT = (90059, "The invoice does not store the price that is needed to recalculate this charge", 409)
    NO_METERED_CHARGE = (90060, "The usage correction does not match a usage charge of the invoice", 400)
    CORRECTED_TWICE = (90061, "A usage correction and a line change the same charge. Send only one of them", 400)

    TAX_DATA_MISSING = (
        90075,
        "Tax data is missing. Add the address or a tax rate (0 percent where there is no tax), or mark the customer as exempt",
        409,
    )
    NOTHING_TO_BILL_AGAIN = (90083, "The invoice has no period that must be billed again", 409)
    NUMBER_TAKEN = (90079, "Another document of the client has this number", 409)

    KEY_ABOVE_ITS_MAKER = (90070, "You cannot give a key a permission that you do not have", 403)

    SETTINGS_NEED_ANOTHER = (90071, "The person who proposed a change of four-eyes settings cannot confirm it", 403)
    CHANGE_DECIDED = (90072, "The request is no longer pending", 409)
    UNITS_BILLED = (90066, "The plan is already billed with these units", 409)
    PRICE_USED = (90067, "This price is needed for days that are not billed yet", 409)

    DATABASE_READ_ONLY = (
        90092,
        "The database can be read but not written at the moment. Nothing was written. Try again in a moment",
        503,
    )
    CLOCK_WENT_BACK = (90094, "The date of the document is long before the date of the last document in its number series", 409)
    DATABASE_AWAY = (90093, "The database cannot be reached at the moment. Try again in a moment", 503)

    RUN_STATE = (90111, "The state of the billing run does not allow this", 409)
    NO_ACCOUNTS_FOUND = (90112, "The filter finds no account that is due. Change the filter", 409)
    FILE_BEING_MADE = (90095, "The file is being made. Try again in a moment", 409)
    FILE_NOT_MADE = (90096, "The file is not available at the moment. Try again later", 409)

    ACT_PENDING = (90073, "Another person must approve this. Nothing is done before the approval", 202)

    def __init__(self, number: int, message: str, http_status: int) -> None:
        self.number = number
        self.message = message
        self.http_status = http_status


def _check_table() -> None:
    repeated = [number for number, times in Counter(row.number for row in ErrorCode).items() if times > 1]
    if repeated:
        raise ValueError(f"error numbers used twice: {repeated}")


_check_table()


NUMBERED = {row.number: row for row in ErrorCode}

LONGEST_MESSAGE = 2000

RETRY_AFTER_SECONDS = 5
"""The Retry-After header of an answer with HTTP status 503."""


def storable_message(message: str) -> str:
    """Return a message that can be stored and sent: at most 2,000 characters, without half surrogate pairs and NUL.

    A message may quote input. JSON can carry such characters, UTF-8 and PostgreSQL cannot.
    """
    return message[:LONGEST_MESSAGE].encode("utf-8", "replace").decode().replace("\0", "?")


def _explained(message: str, detail: str) -> str:
    """Add the detail to the first sentence, which says what is wrong. The other sentences say what to do next."""
    if not detail:
        return message
    wrong, _, next_step = message.partition(". ")
    explained = f"{wrong.rstrip('.')}: {detail}"
    return f"{explained.rstrip('.')}. {next_step}" if next_step else explained


class Detail(str):
    """What a refusal says about its case: Detail("invoice {invoice_no} is open", invoice_no=7).

    As a string it is English: this is what is stored and what programs are answered. `shown` is for pages, in the reader's
    language. The catalogues have the texts; values are written as they are, except those that are details themselves.
    """

    text: str
    values: Mapping[str, object]

    def __new__(cls, text: str, **values: str | int | date | Decimal | None) -> Self:
        detail = super().__new__(cls, text.format(**values) if values else text)
        detail.text, detail.values = text, values
        return detail

    @property
    def shown(self) -> str:
        text = gettext(self.text) if self.text else ""
        return text.format(**{name: shown_detail(value) for name, value in self.values.items()}) if self.values else text

    def written_as(self, text: str) -> Self:
        """Return the same detail with another text in English: the one that was recorded."""
        detail = str.__new__(type(self), text)
        detail.__dict__.update(self.__dict__)
        return detail

    @property
    def parts(self) -> dict[str, Any]:
        """The text and its values, as JSON can store them."""
        values = {name: value.parts if isinstance(value, Detail) else _storable(value) for name, value in self.values.items()}
        return {"text": storable_message(self.text), "values": values}


def word(text: str) -> Detail:
    """Return a word of a fixed list, such as a status, as a part of a detail. The list marks its words for the catalogues."""
    return Detail(text)


def listed(texts: Iterable[str], between: str = ", ") -> Detail:
    """Return details and other texts as one detail, in their order."""
    values = {f"text_{place}": text for place, text in enumerate(texts)}
    return Detail(between.join(f"{{{name}}}" for name in values), **values)


def shown_detail(value: object) -> Any:
    """Return a detail in the reader's language, and any other value as it is."""
    return value.shown if isinstance(value, Detail) else value


def _storable(value: object) -> object:
    return value if value is None or isinstance(value, int) else storable_message(str(value))


def stored_detail(text: str) -> str:
    """Return what is stored beside a text that is recorded in English, so that pages can say it in the reader's language: the
    parts of a detail as JSON. Empty if the text is no detail."""
    return json.dumps(text.parts) if isinstance(text, Detail) else ""


def recorded(text: str, stored: str) -> str:
    """Return a recorded text as the detail that it was. Without its parts, as in old rows, it stays as it is recorded."""
    return _read_detail(json.loads(stored)).written_as(text) if stored else text


def _read_detail(parts: Mapping[str, Any]) -> Detail:
    values = {name: _read_detail(value) if isinstance(value, dict) else value for name, value in parts["values"].items()}
    detail = Detail(parts["text"], **values)
    if "error_code" not in parts:
        return detail
    return _Refusal(BillingError(NUMBERED[parts["error_code"]], detail, field=parts["field"], instead=parts["instead"]))


class BillingError(Exception):
    """A refusal: a rule says no, and nothing was written.

    `field` is the input's name in the request. `detail`, a Detail if it has words of ours, is added to the first sentence of
    the message, or replaces the message with `instead`, because Aria words some codes differently in each case.
    `third_party_errors` are the tax engine's own messages. `outputs` are output fields of a method call that are known although
    it failed.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        field: str | None = None,
        instead: bool = False,
        third_party_errors: tuple[dict[str, str], ...] = (),
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.detail = detail
        self.field = field
        self.instead = instead
        self.third_party_errors = third_party_errors
        self.outputs = outputs or {}
        row_message = code.message.replace("{field}", field or "")
        self.message = storable_message(detail if instead else _explained(row_message, detail))
        super().__init__(f"{code.number} {self.message}")

    @property
    def shown(self) -> str:
        """The message for a page, in the reader's language."""
        if not isinstance(self.detail, Detail):
            return shown_message(self.code.number, self.message)
        if self.instead:
            return storable_message(self.detail.shown)
        row_message = gettext(self.code.message).replace("{field}", self.field or "")
        return storable_message(_explained(row_message, self.detail.shown))

    @property
    def as_detail(self) -> str:
        """The whole message as a detail, which can be recorded. If its detail is no words of ours, it is a text only."""
        return _Refusal(self) if not self.detail or isinstance(self.detail, Detail) else self.message

    @property
    def stored(self) -> str:
        """What is stored beside the message, for its translation (`stored_detail`)."""
        return stored_detail(self.as_detail)

    def renamed(self, names: Mapping[str, str]) -> "BillingError":
        """Return the same refusal with its field under the name that was sent. `names` maps our names to sent ones."""
        wire = names.get(self.field or "", self.field)
        if wire == self.field or wire is None:
            return self
        detail = re.sub(rf"\b{re.escape(self.field or '')}\b", wire, self.detail)
        return BillingError(self.code, detail, field=wire, instead=self.instead, third_party_errors=self.third_party_errors)

    def within(self, path: str) -> "BillingError":
        """Return the same refusal with its field below a path: charges[0].rates[0]."""
        field = f"{path}.{self.field}" if self.field else path
        return BillingError(self.code, self.detail, field=field, instead=self.instead)


NO_WORDS = ""
"""As a literal in a Detail it would be a text to translate."""


class _Refusal(Detail):
    """The message of a refusal."""

    error: BillingError

    def __new__(cls, error: BillingError) -> Self:
        refusal = str.__new__(cls, error.message)
        refusal.text, refusal.values, refusal.error = error.message, {}, error
        return refusal

    @property
    def shown(self) -> str:
        return self.error.shown

    @property
    def parts(self) -> dict[str, Any]:
        error = self.error
        detail = error.detail if isinstance(error.detail, Detail) else Detail(NO_WORDS)
        return {**detail.parts, "error_code": error.code.number, "field": error.field, "instead": error.instead}


def message_of(number: int, message: str) -> str:
    """Return the message of an outcome. If it has none, return the message of its code."""
    return message or NUMBERED[number].message


def shown_message(number: int, message: str, stored: str = "") -> str:
    """Return the message of an error, as it was recorded, for a page: in the language that is active.

    `stored` are the parts of its detail. Old rows have none: then the sentences of the table are translated, and the detail
    between them is as it was recorded, in English, unless the catalogue has it as it is.
    """
    if stored:
        return str(shown_detail(recorded(message, stored)))
    code = NUMBERED.get(number)
    if code is None or message == code.message or not message:
        return gettext(message) if message else ""
    before, named, after = code.message.partition("{field}")
    if named and message.startswith(before):
        return gettext(code.message).replace("{field}", message.removeprefix(before).removesuffix(after))
    wrong, _, next_step = code.message.partition(". ")
    start, end = f"{wrong.rstrip('.')}: ", f". {next_step}" if next_step else ""
    if not (message.startswith(start) and message.endswith(end)):
        return gettext(message)
    return _explained(gettext(code.message), gettext(message[len(start) : len(message) - len(end)]))


class PendingAct(BillingError):
    """Not a refusal: the act is stored as a request and done when another person approves it. `row` is the request as sent."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        super().__init__(ErrorCode.ACT_PENDING, Detail("request {number}", number=row["id"]))

    @property
    def body(self) -> dict[str, Any]:
        """The body that a resource answers."""
        return {"error_code": self.code.number, "error_msg": self.message, "errors": {}, "requested_act": self.row}


def error_from_event(number: int, message: str, stored: str = "") -> BillingError:
    """Rebuild a BillingError from a stored event, with its original message. `stored` are the parts of its detail."""
    return BillingError(NUMBERED[number], recorded(message, stored), instead=True)
