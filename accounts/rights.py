"""Who may do what: staff by permission, programs by the rights of their key, the server's own commands everything.

Services check rights before they do anything. Views check them too, to refuse early and before they return a stored answer.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from accounts.callers import Caller
from accounts.models import ApiKey
from billing_site.errors import BillingError, Detail, ErrorCode, word

KEY_RIGHTS = (
    "may_approve",
    "may_collect",
    "may_rebill",
    "may_correct",
    "may_change_catalogue",
    "may_change_customers",
    "may_add_usage",
    "may_give_credits",
    "may_change_settings",
)
"""The columns of ApiKey that are rights."""


class Right(NamedTuple):
    """The right to an act. `permission` is what staff need, `key` the ApiKey column that a program needs.

    If `key` is empty, every key that is not read-only has the right. `act` names the act in the refusal.
    """

    act: Detail
    permission: str
    key: str = ""
    refused: ErrorCode = ErrorCode.PERMISSION


_IN_THE_MESSAGE = word("")
"""The message of the right's own code names the act."""

GENERATE = Right(Detail("generating invoices"), "invoices.generate_invoice")
APPROVE = Right(_IN_THE_MESSAGE, "invoices.approve_invoice", "may_approve", ErrorCode.APPROVAL_NOT_PERMITTED)
COLLECT = Right(_IN_THE_MESSAGE, "invoices.collect_money", "may_collect", ErrorCode.COLLECTION_NOT_PERMITTED)
CORRECT = Right(_IN_THE_MESSAGE, "invoices.correct_money", "may_correct", ErrorCode.CORRECTION_NOT_PERMITTED)
REBILL = Right(_IN_THE_MESSAGE, "invoices.rebill_invoice", "may_rebill", ErrorCode.REBILL_NOT_PERMITTED)
SEND_STATEMENTS = Right(Detail("sending statements"), "invoices.send_statement")
MAKE_FILES = Right(Detail("making PDFs"), "invoices.send_statement")
CHANGE_SETTINGS = Right(Detail("changing settings"), "accounts.change_client", "may_change_settings")
CHANGE_APPROVAL_RULES = Right(Detail("changing approval rules"), "accounts.change_client", "may_change_settings")
WEBHOOKS = Right(Detail("changing webhooks"), "invoices.change_webhookendpoint", "may_change_settings")
PERSONAL_DATA = Right(Detail("exporting and erasing personal data"), "accounts.handle_personal_data", "may_change_settings")
MOVE_CLOCK = Right(Detail("moving the clock"), "accounts.change_client")

_KEY_RIGHT_OF_ROWS = {
    "accounts.account": "may_change_customers",
    "accounts.contact": "may_change_customers",
    "accounts.paymentmethod": "may_change_customers",
    "accounts.planinstance": "may_change_customers",
    "accounts.service": "may_change_catalogue",
    "accounts.servicelocation": "may_change_catalogue",
    "accounts.plan": "may_change_catalogue",
    "accounts.rateschedule": "may_change_catalogue",
    "invoices.taxrate": "may_change_catalogue",
    "invoices.surcharge": "may_change_catalogue",
    "invoices.coupon": "may_change_catalogue",
    "invoices.reasoncode": "may_change_catalogue",
    "invoices.usage": "may_add_usage",
    "invoices.onetimecharge": "may_add_usage",
    "invoices.couponredemption": "may_add_usage",
    "invoices.servicecredit": "may_give_credits",
}
_DOING: Mapping[str, Callable[[Detail], Detail]] = {
    "add": lambda rows: Detail("adding {rows}", rows=rows),
    "change": lambda rows: Detail("changing {rows}", rows=rows),
    "delete": lambda rows: Detail("removing {rows}", rows=rows),
}
_NAMES = {
    "accounts.account": Detail("accounts"),
    "accounts.contact": Detail("contacts"),
    "accounts.paymentmethod": Detail("payment methods"),
    "accounts.planinstance": Detail("plans of customers"),
    "accounts.service": Detail("services"),
    "accounts.servicelocation": Detail("service locations"),
    "accounts.plan": Detail("plans"),
    "accounts.rateschedule": Detail("prices"),
    "invoices.taxrate": Detail("tax rates"),
    "invoices.surcharge": Detail("surcharges"),
    "invoices.coupon": Detail("coupons"),
    "invoices.reasoncode": Detail("reasons"),
    "invoices.usage": Detail("usage"),
    "invoices.onetimecharge": Detail("one-time charges"),
    "invoices.couponredemption": Detail("redemptions of coupons"),
    "invoices.servicecredit": Detail("service credits"),
}


def right_to(verb: str, rows: str) -> Right:
    """Return the right to add, change or delete rows of a model, named as "invoices.usage"."""
    app, model = rows.split(".")
    return Right(_DOING[verb](_NAMES[rows]), f"{app}.{verb}_{model}", _KEY_RIGHT_OF_ROWS[rows])


ROW_RIGHTS = {(verb, rows): right_to(verb, rows) for rows in _KEY_RIGHT_OF_ROWS for verb in _DOING}
"""The rights to master data, by verb and model."""


def row_rights(rows: str, **verbs: str) -> dict[str, Right]:
    """Return the rights to actions on rows of a model. `verbs` says for each action whether it adds, changes or deletes."""
    return {action: ROW_RIGHTS[verb, rows] for action, verb in verbs.items()}


_BY_KEYS = {
    "accounts.account": ("add", "change"),
    "accounts.contact": ("add", "change", "delete"),
    "accounts.paymentmethod": ("add", "change", "delete"),
    "accounts.planinstance": ("add", "change"),
    "accounts.service": ("add", "change", "delete"),
    "accounts.servicelocation": ("add", "change", "delete"),
    "accounts.plan": ("add", "change", "delete"),
    "accounts.rateschedule": ("add", "change", "delete"),
    "invoices.taxrate": ("add", "change", "delete"),
    "invoices.surcharge": ("add", "change", "delete"),
    "invoices.coupon": ("add", "change", "delete"),
    "invoices.usage": ("add", "delete"),
    "invoices.onetimecharge": ("add", "delete"),
    "invoices.couponredemption": ("add", "delete"),
    "invoices.servicecredit": ("add", "change"),
}
"""What keys may do with rows of a model, if it is more than adding."""

_OF_EVERY_KEY = (GENERATE, SEND_STATEMENTS)
_READING = (
    *(rows.replace(".", ".view_") for rows in _KEY_RIGHT_OF_ROWS),
    "invoices.view_invoice",
    "invoices.view_ledgerentry",
    "invoices.view_collectionattempt",
    "invoices.view_billingrun",
    "accounts.view_event",
)
"""The view permissions of staff that correspond to what every key may read."""


def _rights_of_column() -> dict[str, list[Right]]:
    """Return the rights that each right of a key includes."""
    allowed = {right.key: [right] for right in (APPROVE, COLLECT, CORRECT, REBILL)}
    allowed[CHANGE_SETTINGS.key] = [CHANGE_SETTINGS, WEBHOOKS, CHANGE_APPROVAL_RULES, PERSONAL_DATA]
    for rows, column in _KEY_RIGHT_OF_ROWS.items():
        allowed.setdefault(column, []).extend(ROW_RIGHTS[verb, rows] for verb in _BY_KEYS.get(rows, ("add",)))
    return allowed


RIGHTS_OF_COLUMN = _rights_of_column()


def may_give(caller: Caller, column: str) -> bool:
    """Whether the caller has everything that a right of a key includes."""
    return all(may(caller, right) for right in RIGHTS_OF_COLUMN[column])


def may_make_keys(caller: Caller, *, read_only: bool) -> bool:
    """Whether the caller has what every key may do: read and, unless read-only, generate invoices and send statements."""
    if caller.staff is not None and not caller.staff.has_perms(_READING):
        return False
    return read_only or all(may(caller, right) for right in _OF_EVERY_KEY)


def may(caller: Caller, right: Right) -> bool:
    """Whether the caller has a right."""
    if caller.staff is not None:
        return bool(caller.staff.has_perm(right.permission))
    return caller.api_key is None or key_has(caller.api_key, right)


def key_has(key: ApiKey, right: Right) -> bool:
    """Whether a key has a right. A read-only key has none."""
    return not key.read_only and (not right.key or bool(getattr(key, right.key)))


def check_may(caller: Caller, right: Right) -> None:
    """Refuse a caller without the right, with 90009 or the right's own code."""
    if not may(caller, right):
        raise BillingError(right.refused, right.act)


def check_may_change(caller: Caller, verb: str, rows: str) -> None:
    """Refuse (90009) a caller who may not add, change or delete rows of a model, named as "invoices.usage"."""
    check_may(caller, ROW_RIGHTS[verb, rows])
