"""Translate database errors into refusals: database unreachable, read-only, a known constraint, or an internal error."""

import logging

from django.db import Error, IntegrityError, OperationalError

from billing_site.common.storage import is_away, is_lock_failure, is_not_writable, is_too_slow, violated_constraint
from billing_site.errors import BillingError, Detail, ErrorCode

logger = logging.getLogger(__name__)

BUSY = frozenset(
    {
        "one_pending_invoice_per_account",
        "one_live_invoice_per_bill_date",
        "one_live_rebill_per_original",
        "billed_again_once",
        "one_open_attempt_per_invoice",
    }
)
"""Constraints that only a simultaneous act on the same account can violate, because every act checks first, under the lock."""

FIELDS_OF_IDS = {
    "one_account_per_client_id": "client_acct_id",
    "one_contact_per_number": "contact_no",
    "one_location_per_client_id": "client_service_location_id",
    "one_service_per_client_id": "client_service_id",
    "one_plan_per_client_id": "client_plan_id",
    "one_list_rate_per_day_it_begins": "valid_from",
    "one_own_rate_per_day_it_begins": "valid_from",
    "one_tax_rate_per_day_it_begins": "valid_from",
    "one_surcharge_per_day_it_begins": "valid_from",
    "one_coupon_per_code": "code",
    "one_reason_per_code": "reason_code",
    "one_usage_per_record_id": "record_id",
    "one_order_per_client_id": "client_order_id",
    "one_payment_per_reference_and_day": "reference",
}
"""Constraints on values in the request, with the field. The value was free when checked; another request took it since."""

SAME_PRINTED_NUMBER = "one_document_per_printed_number"


def refusal_of(error: Error) -> BillingError:
    """Return the refusal for a database error.

    90326 if a statement took too long, 90092 if the database is read-only, 90093 if it is unreachable, 3108 if another act
    locks the account, 90013 if another record has the id, 90079 if another document has the number. Anything else is logged
    with the constraint's name and is 1001.
    """
    if isinstance(error, OperationalError) and is_lock_failure(error):
        return BillingError(ErrorCode.IN_PROGRESS)
    if is_too_slow(error):
        logger.error("the database stopped a statement that took too long", exc_info=error)
        return BillingError(ErrorCode.TOO_MUCH_ASKED)
    if is_not_writable(error):
        logger.error("the database cannot be written", exc_info=error)
        return BillingError(ErrorCode.DATABASE_READ_ONLY)
    if is_away(error):
        logger.error("the database cannot be reached", exc_info=error)
        return BillingError(ErrorCode.DATABASE_AWAY)
    constraint = violated_constraint(error) if isinstance(error, IntegrityError) else ""
    if constraint in BUSY:
        return BillingError(ErrorCode.IN_PROGRESS)
    if constraint in FIELDS_OF_IDS:
        return BillingError(ErrorCode.RECORD_ID_USED, FIELDS_OF_IDS[constraint], field=FIELDS_OF_IDS[constraint])
    if constraint == SAME_PRINTED_NUMBER:
        return BillingError(ErrorCode.NUMBER_TAKEN, Detail("change the prefix or suffix of the number series, then try again"))
    logger.error("the database refused a row by constraint %s", constraint or "(none)", exc_info=error)
    return BillingError(ErrorCode.UNEXPECTED)
