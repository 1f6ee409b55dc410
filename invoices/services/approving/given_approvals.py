"""Count the people who have approved a document that needs several. Called under the locks of accounts and documents."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from accounts.keys import people_behind
from accounts.trail import Act, record_acts
from billing_site.common.storage import insert_rows
from invoices.document import Document
from invoices.fingerprints import fingerprint
from invoices.models import ApprovalRule, GivenApproval, Invoice
from invoices.services.issuing.issuing import Issuing
from invoices.services.planning.rule_matching import Ruled, given_approvals

GIVEN = "invoice.approval_given"


class Counted(NamedTuple):
    """How many other people must still approve a document, and what its event says of the rule that decided."""

    missing: int = 0
    event: Mapping[str, Any] = MappingProxyType({})


def rule_members(rule: ApprovalRule) -> dict[str, Any]:
    """Return what an event says of the rule that decided about a document."""
    return {"rule": rule.position, "rule_name": rule.name, "rule_version": rule.rules.version}


def count_approvals(
    invoices: Sequence[Invoice], contents: Mapping[int, Document], ruled: Mapping[int, Ruled], issuing: Issuing
) -> dict[int, Counted]:
    """Return for each document how many approvals are missing after this one, which is stored for those that stay pending.

    A person counts once, with all their keys. A second approval by the same person changes nothing, and has no event.
    """
    several = [one.pk for one in invoices if one.pk in ruled and ruled[one.pk].rule.approvers > 1]
    given = given_approvals(several) if several else {}
    people = people_behind({one.given_by for mine in given.values() for one in mine}) if given else {}
    found, rows, acts = {}, [], []
    for invoice in invoices:
        if invoice.pk not in ruled:
            found[invoice.pk] = Counted()
            continue
        rule = ruled[invoice.pk].rule
        by = [one.given_by for one in given.get(invoice.pk, [])]
        is_new = not any(people[identity] & issuing.caller.people for identity in by)
        everyone = [*by, issuing.caller.identity] if is_new else by
        missing = max(rule.approvers - len(everyone), 0)
        event = {**rule_members(rule), **({"approvers": everyone} if rule.approvers > 1 else {})}
        found[invoice.pk] = Counted(missing, event)
        if missing and is_new:
            rows.append((invoice.pk, issuing.caller.identity, issuing.at, fingerprint(contents[invoice.pk])))
            after = {**rule_members(rule), "approvals_missing": missing, "reason": issuing.remarks.reason}
            acts.append(Act(GIVEN, invoice.account_id, invoice.pk, after=after))
    insert_rows(GivenApproval, ("invoice_id", "given_by", "given_at", "fingerprint"), rows)
    record_acts(issuing.client, issuing.caller, acts, issuing.at)
    return found
