"""The one table of errors, and the exception that carries a row of it. Imports nothing of ours.

Codes below 90000 and their messages are Aria's (its "Unabridged List" of API error messages and the group pages). Codes from
90001 up are ours: Aria's pages name no code for these cases. The HTTP status is used by the resource API only: Aria's
method calls always answer 200.
"""

import re
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Any


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

    APPROVAL_NOT_PERMITTED = (90001, "The caller may not approve invoices", 403)
    FOUR_EYES = (90002, "Who made a document may not approve it", 403)
    DOCUMENT_MOVED = (90003, "The document is not the one that was seen", 409)
    TAXATION_FAILED = (90004, "The tax engine failed; nothing was written", 502)
    CLOCK_IN_PRODUCTION = (90005, "The virtual clock is refused in production", 403)
    CLOCK_BACKWARDS = (90006, "The virtual clock only moves forward", 400)
    CURRENCY_MISMATCH = (90007, "The currency is not the account's", 409)
    AMOUNT_TOO_LARGE = (90008, "The amount is too large to be stored exactly", 409)
    PERMISSION = (90009, "The caller has no permission for this", 403)
    RATE_TERMS = (90010, "The price is incomplete or contradicts itself", 400)
    NO_RATE = (90011, "No price of the charge is valid on the day", 409)
    USAGE_NOT_CHARGED = (90012, "No plan of the account charges for this usage", 409)
    RECORD_ID_USED = (90013, "The id stands for another record", 409)
    COUPON_REDEEMED = (90014, "The account has redeemed this coupon already", 409)
    COUPON_CLOSED = (90015, "The coupon cannot be redeemed", 409)
    ON_AN_INVOICE = (90016, "It stands on an invoice, and so cannot be changed", 409)

    NOT_ISSUED = (90017, "The document is not an issued one", 409)
    COLLECTING = (90018, "A collection of the invoice is in progress, or its outcome is not known", 409)
    OUTCOME_UNKNOWN = (90019, "The gateway has not said what came of it; it is asked before it is charged again", 202)
    TOKEN_REFUSED = (90020, "The gateway does not take this token", 400)
    ABOVE_WHAT_IS_OPEN = (90021, "The amount is above what is open", 409)
    IN_THE_WAY = (90022, "Another transaction is in the way", 409)
    EVENT_NOT_SIGNED = (90023, "The event does not bear a fresh signature of the gateway", 400)
    EVENT_SEEN = (90024, "The event was seen before", 200)
    COLLECTION_NOT_PERMITTED = (90025, "The caller may not collect invoices or record payments", 403)
    CORRECTION_NOT_PERMITTED = (90026, "The caller may not void, credit, write off, dispute or refund", 403)
    REFUND_REFUSED = (90027, "The gateway refused the refund", 402)

    PLAN_HAS_BEGUN = (90062, "The plan has begun, so it cannot be taken off", 409)
    PLAN_IS_BILLED = (90063, "The plan is on an invoice, so it cannot be taken off", 409)

    REBILL_NOT_PERMITTED = (90028, "The caller may not rebill invoices", 403)
    LINE_TERMS = (90029, "The rate, units and amount of a line do not go together", 400)
    REBILL_OF_PENDING = (90030, "A pending invoice is not rebilled: nothing of it was issued", 409)
    REBILL_OF_DISCARDED = (90031, "A discarded invoice is not rebilled: nothing of it was issued", 409)
    REBILL_OF_VOIDED = (90032, "A voided invoice is not rebilled", 409)
    ALREADY_REBILLED = (90033, "The invoice has been rebilled", 409)
    REBILL_WAITING = (90034, "A rebill of the invoice waits for approval", 409)
    REBILL_OF_MEMO = (90035, "A credit memo is not rebilled", 409)
    REBILL_REFUNDED = (90036, "A refund has left the invoice unpaid", 409)
    REBILL_CREDITED = (90037, "A credit memo of the invoice stands", 409)
    REBILL_WRITTEN_OFF = (90038, "A write-off of the invoice stands", 409)
    REBILL_DISPUTED = (90039, "The invoice is disputed", 409)
    PART_OF_REBILL = (90041, "The document is part of a rebill", 409)
    TAX_LINE = (90042, "A tax line cannot be changed: taxes are counted again", 400)
    NO_STATEMENT_ADDRESS = (90043, "No contact of the account has an e-mail address for statements", 409)
    STATEMENT_NOT_SENT = (90044, "The statement could not be sent", 502)

    AMOUNT_OR_ALL = (90047, "Give an amount or lines, or say that all of it is meant (all: true); one of these", 400)
    NOT_SUPPORTED = (90046, "The argument is not supported; leave it out", 400)

    KEY_OF_ANOTHER_REQUEST = (90045, "The Idempotency-Key stands for another request", 422)

    LEFT_OUT = (90050, "The amount is too large for an invoice; it was left unbilled", 409)
    REBILL_BELOW_ZERO = (90058, "A rebill cannot be below zero", 400)
    PRICE_NOT_ON_DOCUMENT = (90059, "The invoice does not say by which price this is counted", 409)
    NO_METERED_CHARGE = (90060, "The invoice has no such metered charge", 400)
    CORRECTED_TWICE = (90061, "A usage correction and a line change the same charge", 400)

    TAX_DATA_MISSING = (
        90075,
        "Tax data is missing. Add the address or a tax rate (0 percent where there is no tax), or mark the customer as exempt",
        409,
    )
    NOTHING_TO_BILL_AGAIN = (90083, "Nothing of the invoice is to be billed again", 409)
    NUMBER_TAKEN = (90079, "Another document of the client prints this number", 409)

    KEY_ABOVE_ITS_MAKER = (90070, "A key gets no right that its maker lacks", 403)

    SETTINGS_NEED_ANOTHER = (90071, "Who proposed a change of four-eyes settings may not confirm it", 403)
    CHANGE_DECIDED = (90072, "The request is not pending any more", 409)
    UNITS_BILLED = (90066, "The plan was billed with its units", 409)
    PRICE_USED = (90067, "Days were used at this price that are not billed yet", 409)

    DATABASE_READ_ONLY = (
        90092,
        "The database can be read but not written at the moment. Nothing was written. Try again in a moment",
        503,
    )
    CLOCK_WENT_BACK = (90094, "The document would be dated long before the last one of its number series", 409)
    DATABASE_AWAY = (90093, "The database cannot be reached at the moment. Try again in a moment", 503)

    ACT_PENDING = (90073, "Another person has to approve it; nothing is done before", 202)

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
"""What an answer with HTTP status 503 says in Retry-After."""


def tellable(message: str) -> str:
    """A message may quote what was sent: cut where that is long, and without what JSON can carry, but UTF-8 (half of a
    surrogate pair) or PostgreSQL (NUL) cannot."""
    return message[:LONGEST_MESSAGE].encode("utf-8", "replace").decode().replace("\0", "?")


class BillingError(Exception):
    """A refusal: nothing has happened, and the caller is told why.

    `field` is the wire name of the input that is wrong; `detail` is added to the row's message, or stands for it where
    `instead` is set (Aria words some codes by the case); `third_party_errors` are the tax engine's own words; `outputs` are
    output fields of a method call that are known although it failed.
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
        explained = f"{row_message.rstrip('.')}: {detail}" if detail else row_message
        self.message = tellable(detail if instead else explained)
        super().__init__(f"{code.number} {self.message}")

    def renamed(self, names: Mapping[str, str]) -> "BillingError":
        """The same refusal, its field under the name that the caller knows it by."""
        wire = names.get(self.field or "", self.field)
        if wire == self.field or wire is None:
            return self
        detail = re.sub(rf"\b{re.escape(self.field or '')}\b", wire, self.detail)
        return BillingError(self.code, detail, field=wire, instead=self.instead, third_party_errors=self.third_party_errors)

    def within(self, path: str) -> "BillingError":
        """The same refusal, of a field that stands below a path: charges[0].rates[0]."""
        field = f"{path}.{self.field}" if self.field else path
        return BillingError(self.code, self.detail, field=field, instead=self.instead)


def message_of(number: int, message: str) -> str:
    """Return what was said of an outcome, or the message of its code: never "OK" beside an error."""
    return message or NUMBERED[number].message


class PendingAct(BillingError):
    """No refusal: the act is written down as a request, and is done once another person has approved it. `row` is the request
    on the wire."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        super().__init__(ErrorCode.ACT_PENDING, f"request {row['id']}")

    @property
    def body(self) -> dict[str, Any]:
        """The answer of a resource."""
        return {"error_code": self.code.number, "error_msg": self.message, "errors": {}, "requested_act": self.row}


def told_before(number: int, message: str) -> BillingError:
    """A refusal that is on record, in the words of then."""
    return BillingError(NUMBERED[number], message, instead=True)
