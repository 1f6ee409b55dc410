"""The roles of staff, as groups with permissions. All doors check the same permissions, so a role applies everywhere."""

from typing import Any

SEEN = (
    "accounts.view_client",
    "accounts.view_account",
    "accounts.view_contact",
    "accounts.view_paymentmethod",
    "accounts.view_planinstance",
    "accounts.view_service",
    "accounts.view_servicelocation",
    "accounts.view_plan",
    "accounts.view_plancharge",
    "accounts.view_rateschedule",
    "accounts.view_ratetier",
    "accounts.view_event",
    "invoices.view_invoice",
    "invoices.view_invoiceline",
    "invoices.view_taxdetail",
    "invoices.view_creditdetail",
    "invoices.view_billedperiod",
    "invoices.view_ledgerentry",
    "invoices.view_payment",
    "invoices.view_refund",
    "invoices.view_creditmemo",
    "invoices.view_cashcredit",
    "invoices.view_writeoff",
    "invoices.view_dispute",
    "invoices.view_transactionvoid",
    "invoices.view_collectionattempt",
    "invoices.view_statement",
    "invoices.view_documentfile",
    "invoices.view_billingrun",
    "invoices.view_runoutcome",
    "invoices.view_runfilter",
    "invoices.view_schedule",
    "invoices.view_usage",
    "invoices.view_onetimecharge",
    "invoices.view_servicecredit",
    "invoices.view_coupon",
    "invoices.view_couponredemption",
    "invoices.view_surcharge",
    "invoices.view_taxrate",
    "invoices.view_reasoncode",
    "invoices.view_requestedact",
    "invoices.view_closedperiod",
    "invoices.view_approvalrules",
    "invoices.view_approvalrule",
    "invoices.view_givenapproval",
    "invoices.view_approvalprogress",
    "invoices.view_standin",
    "invoices.view_mailtext",
    "rebills.view_rebill",
    "rebills.view_rebillcampaign",
    "rebills.view_campaignitem",
)
"""View all customers, catalogue and documents of their clients, but no keys, API calls or settings."""

BILLED = (
    "invoices.generate_invoice",
    "invoices.rebill_invoice",
    "invoices.send_statement",
    "invoices.add_usage",
    "invoices.add_onetimecharge",
    "invoices.change_onetimecharge",
    "invoices.delete_onetimecharge",
    "invoices.add_couponredemption",
    "invoices.delete_couponredemption",
    "accounts.add_contact",
)
COLLECTED = ("invoices.collect_money", "invoices.add_payment", "accounts.add_paymentmethod", "accounts.change_paymentmethod")
CORRECTED = ("invoices.correct_money", "invoices.add_servicecredit", "invoices.change_servicecredit")
ALL = ("accounts.*", "invoices.*", "rebills.*")

ROLES: dict[str, tuple[str, ...]] = {
    "Viewer": SEEN,
    "Biller": (*SEEN, *BILLED),
    "Approver": (*SEEN, "invoices.approve_invoice"),
    "Collector": (*SEEN, *COLLECTED),
    "Corrector": (*SEEN, *CORRECTED),
    "Administrator": ALL,
}
"""The permissions of each role.

Biller: generates invoices, builds rebills, sends statements, adds usage and contacts, and adds and takes back orders and
coupons. Approver: approves, discards and regenerates. Collector: collects, and records payments. Corrector: gives money away
by credit memos, cash and service credits, refunds, write-offs, disputes and voids. Administrator: everything of their clients,
including corrections and settings.
"""


def make_groups(groups: Any, permissions: Any) -> None:
    """Create the groups, or update them to this table. The arguments are the managers of groups and permissions."""
    by_right = _by_right(permissions)
    for name, rights in ROLES.items():
        unknown = [right for right in rights if right not in by_right]
        assert not unknown, f"there is no permission {unknown[0]}"
        group, _ = groups.get_or_create(name=name)
        group.permissions.set(permission for right in rights for permission in by_right[right])


def add_new_rights(groups: Any, new: Any) -> None:
    """Add new permissions to existing groups as this table says. Other permissions of a group are kept."""
    by_right = _by_right(new)
    for group in groups.filter(name__in=ROLES):
        group.permissions.add(*(permission for right in ROLES[group.name] for permission in by_right.get(right, ())))


def _by_right(permissions: Any) -> dict[str, list[Any]]:
    """Return the permissions by the names that the table has for them, in one query."""
    by_right: dict[str, list[Any]] = {}
    for permission in permissions.select_related("content_type"):
        app = permission.content_type.app_label
        for right in (f"{app}.{permission.codename}", f"{app}.*"):
            by_right.setdefault(right, []).append(permission)
    return by_right
