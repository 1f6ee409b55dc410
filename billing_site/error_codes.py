"""The one table of errors. Imports nothing of ours.

Codes below 90000 and their messages are Aria's (its "Unabridged List" of API error messages and the group pages). Codes from
90001 up are ours: Aria's pages name no code for these cases. The HTTP status is used by the resource API only: Aria's
method calls always answer 200.
"""

from collections import Counter
from enum import Enum


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
    # Only in older events. Today such an argument is refused with INVALID_INPUT.
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
    NEVER_CHANGES = (90161, "This is set once and cannot be changed. Add another row instead", 409)
    CHANGED_SINCE = (90162, "The row has changed since it was read. Read it again, then repeat the change", 412)
    ROW_IS_USED = (90163, "The row is used and cannot be removed. End it, or leave it unused", 409)
    NOT_TO_BE_MOVED = (90160, "Less than this can be moved", 409)
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
    TIME_WENT_BACK = (
        90300,
        "The server's clock is behind the time at which the last document in the number series was issued",
        409,
    )
    DATABASE_AWAY = (90093, "The database cannot be reached at the moment. Try again in a moment", 503)

    RUN_STATE = (90111, "The state of the billing run does not allow this", 409)
    TRIAL = (90190, "This trial is not possible", 409)
    PAUSE = (90191, "Billing cannot be paused or resumed like this", 409)
    NOT_FINAL = (90192, "The final invoice cannot be generated now", 409)
    NO_ACCOUNTS_FOUND = (90112, "The filter finds no account that is due. Change the filter", 409)
    WEBHOOK_ADDRESS = (90150, "Webhooks cannot be sent to this address", 400)
    WEBHOOK_OFF = (90151, "The webhook endpoint is off. Switch it on first", 409)
    TOO_MANY_ENDPOINTS = (90152, "The client has too many webhook endpoints. Remove one first", 409)
    FILE_BEING_MADE = (90095, "The file is being made. Try again in a moment", 409)
    STATEMENT_BOUNCED = (90097, "The e-mail came back", 502)
    E_INVOICE_NOT_VALID = (90120, "The document cannot be a valid electronic invoice", 409)
    LOGO_NOT_STORED = (90350, "The logo cannot be stored at the moment. Try again later", 409)
    FILE_NOT_MADE = (90096, "The file is not available at the moment. Try again later", 409)

    CAMPAIGN_STATE = (90180, "The state of the campaign does not allow this", 409)
    NOTHING_SELECTED = (90181, "The selection finds no issued invoice. Change the selection", 409)
    RULE_NOT_APPLICABLE = (90182, "A rule cannot be applied to a line. Change the rule, or rebill the invoice by itself", 400)
    IN_ANOTHER_CAMPAIGN = (90183, "Another approved campaign rebills this invoice. Wait until it is finished", 409)
    COLLECTS_TOO_MUCH = (90184, "The campaign would collect more than its limit. Raise the limit or do not collect", 409)
    REFUNDS_TOO_MUCH = (90341, "The campaign would refund more than its limit. Raise the limit or keep it as credit", 409)
    PREVIEW_CHANGED = (90185, "The preview has changed since you saw it. Look at it again, then repeat the request", 409)
    WRONG_ROWS = (90186, "The file has rows that cannot be used. Nothing was created. Correct them", 400)
    OWN_CAMPAIGN = (90187, "You cannot approve a campaign that you have built. Another person must approve it", 403)

    NOT_ON_ONE_INVOICE = (90270, "The charges do not fit on one invoice: too large, or below zero in total", 409)
    TOO_MANY_CALLS = (90272, "Too many calls within a minute. Wait as long as Retry-After says", 429)
    ONE_OFF_STAYS = (90271, "A one-off invoice is not regenerated", 409)

    NOT_UNDOABLE = (90170, "This cannot be undone", 409)
    REFUND_HAS_LEFT = (90380, "The payment gateway was asked for the refund. It cannot be undone", 409)
    UNDO_BLOCKED = (90171, "A later act is in the way of the undo", 409)
    NO_VOID_TO_UNDO = (90340, "Only the void of an invoice can be undone", 409)
    REVERSAL_IS_FINAL = (90172, "A reversal cannot be changed", 409)
    PERIOD_CLOSED = (90173, "The period is closed", 409)
    PERIOD_NOT_READY = (90174, "The period cannot be closed yet", 409)
    PERIOD_STATE = (90175, "This cannot be done with the period", 409)
    ROLE_NEEDED = (90250, "The approval rules ask for an approver with another role", 403)
    RULES_STATE = (90251, "This cannot be done with this version of the approval rules", 409)
    RULE_NOT_VALID = (90252, "An approval rule cannot be used as it is. Nothing was stored", 400)
    NO_AUTOMATIC_APPROVAL = (90253, "The document is not approved automatically", 409)
    STAND_IN_NOT_VALID = (90254, "This person cannot stand in. Nothing was stored", 400)
    REFUND_NEEDS_ANOTHER = (90176, "A refund of this amount needs a second person", 409)
    TOO_MANY_VIEWS = (90220, "You have as many saved views of this list as are allowed. Remove one first", 409)
    NOTHING_LEFT_TO_BILL = (90240, "Nothing is left to bill on the document. Discard or regenerate it", 409)
    HAS_ADJUSTMENTS = (90241, "The document has adjustments, which regenerating would lose", 409)
    NOTHING_ADJUSTED = (90243, "The adjustments are those that the document has already", 409)
    ADJUSTED_BELOW_ZERO = (90242, "An invoice cannot be below zero", 400)
    NOT_DISCOUNTED = (90410, "A discount in percent cannot be taken off this line", 400)
    NOTHING_TO_PAY = (90435, "The credit pays no invoice", 409)
    PLAN_HAS_CUSTOMERS = (90210, "Customers have this plan, so this cannot be changed. Add another plan or charge instead", 409)
    CHARGE_WITHOUT_PRICE = (90211, "The charge needs a price in each currency of the customers of its plan", 409)
    NOT_TO_BE_REPRICED = (90212, "This price cannot be changed like this", 409)
    ROLE_ABOVE_ITS_GIVER = (90213, "You can only give roles whose rights you have", 403)
    LAST_ADMINISTRATOR = (90214, "This is the last administrator of the client. Make another person administrator first", 409)
    OTHERS_PERSON = (90215, "You cannot change this person. Ask a superuser", 403)
    OWN_PERSON = (90360, "Four eyes apply: another administrator must let a person sign in whom you have added", 403)
    OTHER_CLIENT_CHOSEN = (90361, "The page was shown for another client. Nothing was done. Check it and send it again", 409)
    NO_CSRF_TOKEN = (90375, "The call has no valid CSRF token. Send that of your session in the header X-CSRFToken", 403)
    CODE_NOT_RIGHT = (90290, "The code is not right, or it was used before. Wait for the next one", 403)
    FACTOR_NEEDED = (90291, "Your role needs a second factor. Add another one before you remove this one", 409)
    PASSKEY_NOT_RIGHT = (90292, "The passkey was not accepted. Try again, or use another second factor", 403)
    NO_SECOND_FACTOR = (90293, "The person has no second factor", 409)
    HAS_PENDING_DOCUMENTS = (90320, "The customer cannot be erased: a document is pending. Approve or discard it first", 409)
    HAS_OPEN_INVOICES = (90321, "The customer cannot be erased: an invoice is open. Collect, credit or write it off first", 409)
    HAS_UNUSED_CREDIT = (90322, "The customer cannot be erased: money is not used. Apply or refund it first", 409)
    STILL_BILLED = (90323, "The customer cannot be erased: something is still to be billed. End and bill it first", 409)
    WORK_UNDER_WAY = (90324, "The customer cannot be erased: work for them is under way. Try again when it is done", 409)
    TOO_MUCH_ASKED = (90326, "The database took too long to answer. Ask for less: a narrower filter or a smaller page", 422)
    ALREADY_ERASED = (90325, "The customer is already erased", 409)
    SINGLE_SIGN_ON_REFUSED = (90294, "Single sign-on does not let you in", 403)
    SETTINGS_NEED_PERSON = (90331, "Four-eyes settings and bank details are changed by people, not by programs", 403)
    APPROVAL_RECORDED = (90330, "The approval is recorded. The document stays pending until other people have approved it", 202)
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
