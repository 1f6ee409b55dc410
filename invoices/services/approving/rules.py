"""Make versions of a client's approval rules, switch them on and off, and say who stands in for whom."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from accounts.callers import Caller
from accounts.keys import people_behind
from accounts.kinds import FourEyes
from accounts.models import Client, Plan
from accounts.rights import CHANGE_APPROVAL_RULES, check_may
from accounts.services.people import check_may_give
from accounts.staff import clients_of, name_of_user
from accounts.trail import Act, record_acts
from billing_site.common.currencies import named_amount
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.kinds import Flag, InvoiceKind
from invoices.models import ApprovalRule, ApprovalRules, StandIn

MOST_RULES = 50
RULED_KINDS = (InvoiceKind.RECURRING, InvoiceKind.ADVANCE, InvoiceKind.ONE_OFF, InvoiceKind.REBILL)
"""The kinds of documents that can be pending."""

TERMS = (
    "name",
    "kinds",
    "is_clean",
    "flags",
    "is_zero",
    "currency",
    "total_above",
    "total_below",
    "change_below_percent",
    "account_days",
    "tag",
    "plan",
    "approves_after_hours",
    "approvers",
    "role",
    "escalates_after_days",
)
"""What a rule says: its conditions, and how documents are approved to which they apply."""

Terms = Mapping[str, Any]


@transaction.atomic
def make_rules(*, client: Client, rules: Sequence[Terms], caller: Caller, comments: str = "") -> ApprovalRules:
    """Store a new version of the client's approval rules, and return it. It is not on.

    Each of `rules` has the members of `TERMS`; those that are missing are empty. Refuses callers who may not change rules
    (90009), and (90252) rules that cannot be used, by their place in the list, and comments that are too long.
    """
    check_may(caller, CHANGE_APPROVAL_RULES)
    if not 1 <= len(rules) <= MOST_RULES:
        raise BillingError(ErrorCode.RULE_NOT_VALID, Detail("give from 1 to {count} rules", count=MOST_RULES), field="rules")
    if len(comments) > COMMENTS_LENGTH:
        detail = Detail("comments have at most {count} characters", count=COMMENTS_LENGTH)
        raise BillingError(ErrorCode.RULE_NOT_VALID, detail, field="comments")
    Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    rows = [_row(client, position, terms) for position, terms in enumerate(rules, 1)]
    last = ApprovalRules.objects.filter(client=client).aggregate(last=Max("version"))["last"] or 0
    version = ApprovalRules.objects.create(
        client=client, version=last + 1, comments=comments, made_by=caller.identity, made_at=timezone.now()
    )
    for row in rows:
        row.rules = version
    ApprovalRule.objects.bulk_create(rows)
    _record("approval_rules.made", version, caller)
    return version


def _row(client: Client, position: int, terms: Terms) -> ApprovalRule:
    row = ApprovalRule(position=position, **terms)
    try:
        row.clean_fields(exclude=["rules"])
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise _refused(position, name, word(messages[0])) from None
    _check_lists(row)
    _check_amounts(row)
    if row.approves_after_hours is not None and (row.approvers > 1 or row.role):
        raise _refused(
            position, "approves_after_hours", Detail("a rule approves automatically, or it needs a role or several people")
        )
    if row.role and not Group.objects.filter(name=row.role).exists():
        raise _refused(position, "role", Detail("the role {name} does not exist", name=row.role))
    if row.plan_id is not None and not Plan.objects.filter(client=client, pk=row.plan_id).exists():
        raise _refused(position, "plan", Detail("plan {number} does not exist", number=row.plan_id))
    return row


def _check_lists(row: ApprovalRule) -> None:
    for name, known in (("kinds", [one.value for one in RULED_KINDS]), ("flags", Flag.values)):
        unknown = [one for one in getattr(row, name).split(",") if one and one not in known]
        if unknown:
            detail = Detail("{value} is not one of {known}", value=unknown[0], known=", ".join(known))
            raise _refused(row.position, name, detail)
    if row.is_clean and row.flags:
        raise _refused(row.position, "flags", Detail("a document without flags has none of these"))


def _check_amounts(row: ApprovalRule) -> None:
    above, below = row.total_above, row.total_below
    if (above is not None or below is not None) and not row.currency:
        raise _refused(row.position, "currency", Detail("say in which currency the limits of the total are"))
    if above is not None and below is not None and above >= below:
        detail = Detail(
            "no total is above {above} and below {below}",
            above=named_amount(above, row.currency),
            below=named_amount(below, row.currency),
        )
        raise _refused(row.position, "total_below", detail)


def _refused(position: int, name: str, detail: Detail) -> BillingError:
    why = Detail("rule {position}, {name}: {why}", position=position, name=name, why=detail)
    return BillingError(ErrorCode.RULE_NOT_VALID, why, field=f"rules.{position}.{name}")


@transaction.atomic
def switch_on(*, client: Client, version_no: int, caller: Caller) -> ApprovalRules:
    """Let a version of the rules decide from now on, in place of the one that was on. Returns it.

    The hours after which documents approve by themselves count from now on for documents that are pending already. Refuses
    callers who may not change rules (90009), who has made the version where four eyes apply (90002), and (90251) one that is
    on.
    """
    version = _locked(client, version_no, caller)
    if version.is_on:
        raise BillingError(ErrorCode.RULES_STATE, Detail("version {number} is already on", number=version.version))
    if client.four_eyes != FourEyes.OFF and people_behind([version.made_by])[version.made_by] & caller.people:
        raise BillingError(ErrorCode.FOUR_EYES, Detail("you or one of your API keys made this version of the rules"))
    before = ApprovalRules.objects.filter(client=client, is_on=True).first()
    if before is not None:
        _switch(before, caller, is_on=False)
    return _switch(version, caller, is_on=True)


@transaction.atomic
def switch_off(*, client: Client, version_no: int, caller: Caller) -> ApprovalRules:
    """Let no rules decide any more.

    Refuses callers who may not change rules (90009), and (90251) a version that is not on, and where four eyes apply one that
    needs a role or several people: two people replace it, by a version that one makes and the other switches on.
    """
    version = _locked(client, version_no, caller)
    if not version.is_on:
        raise BillingError(ErrorCode.RULES_STATE, Detail("version {number} is not on", number=version.version))
    strict = version.rows.filter(Q(approvers__gt=1) | ~Q(role="")).order_by("position").first()
    if client.four_eyes != FourEyes.OFF and strict is not None:
        detail = Detail(
            "four eyes apply, and rule {rule} needs a role or several people; make a version without it, which another person "
            "switches on",
            rule=strict.name,
        )
        raise BillingError(ErrorCode.RULES_STATE, detail)
    return _switch(version, caller, is_on=False)


def _locked(client: Client, version_no: int, caller: Caller) -> ApprovalRules:
    check_may(caller, CHANGE_APPROVAL_RULES)
    Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    version = ApprovalRules.objects.filter(client=client, pk=version_no).first()
    if version is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("version {number} of the rules does not exist", number=version_no))
    return version


def _switch(version: ApprovalRules, caller: Caller, *, is_on: bool) -> ApprovalRules:
    version.is_on, version.switched_by, version.switched_at = is_on, caller.identity, timezone.now()
    version.save(update_fields=["is_on", "switched_by", "switched_at"])
    _record("approval_rules.switched_on" if is_on else "approval_rules.switched_off", version, caller)
    return version


def _record(act: str, version: ApprovalRules, caller: Caller) -> None:
    rules = list(version.rows.order_by("position").values_list("name", flat=True))
    after = {"version": version.version, "rules": rules, "comments": version.comments}
    record_acts(version.client, caller, [Act(act, after=after, row_no=version.pk)])


@transaction.atomic
def set_stand_in(
    *, client: Client, person: str, stand_in: str, first_day: date, last_day: date, caller: Caller, today: date
) -> StandIn:
    """Let a member of staff approve in the role of another one on these days, and return the row. Both are user names.

    Refuses callers who may not change rules (90009), (90213) the roles of a person that are above the caller's own rights, and
    (90254) the caller as the stand-in, people who do not work for the client, a person in place of themselves, and days that
    are over or in the wrong order.
    """
    check_may(caller, CHANGE_APPROVAL_RULES)
    away, present = _staff(client, person, "person"), _staff(client, stand_in, "stand_in")
    if away.pk == present.pk:
        raise BillingError(ErrorCode.STAND_IN_NOT_VALID, Detail("choose two different people"), field="stand_in")
    if f"staff:{present.pk}" in caller.people:
        raise BillingError(ErrorCode.STAND_IN_NOT_VALID, Detail("another person must make you the stand-in"), field="stand_in")
    check_may_give(caller, away.groups.all(), "person")
    if last_day < max(first_day, today):
        raise BillingError(
            ErrorCode.STAND_IN_NOT_VALID, Detail("the last day is over, or before the first one"), field="last_day"
        )
    row = StandIn.objects.create(
        client=client,
        person=away,
        stand_in=present,
        first_day=first_day,
        last_day=last_day,
        set_by=caller.identity,
        set_at=timezone.now(),
    )
    record_acts(client, caller, [Act("stand_in.set", after=_stand_in_members(row), row_no=row.pk)])
    return row


def _staff(client: Client, name: str, field: str) -> Any:
    user = get_user_model().objects.filter(username=name).first()
    if user is None or not clients_of(user).filter(pk=client.pk).exists():
        detail = Detail("{name} is not a user who works for this client", name=name)
        raise BillingError(ErrorCode.STAND_IN_NOT_VALID, detail, field=field)
    return user


@transaction.atomic
def remove_stand_in(*, client: Client, stand_in_no: int, caller: Caller) -> None:
    """End that a person stands in. Refuses callers who may not change rules (90009), and a row that does not exist (1002)."""
    check_may(caller, CHANGE_APPROVAL_RULES)
    row = StandIn.objects.filter(client=client, pk=stand_in_no).select_related("person", "stand_in").first()
    if row is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("stand-in {number} does not exist", number=stand_in_no))
    record_acts(client, caller, [Act("stand_in.removed", before=_stand_in_members(row))])
    row.delete()


def _stand_in_members(row: StandIn) -> dict[str, Any]:
    return {
        "stand_in_no": row.pk,
        "person": name_of_user(row.person),
        "stand_in": name_of_user(row.stand_in),
        "first_day": str(row.first_day),
        "last_day": str(row.last_day),
    }


def stand_ins(client: Client, today: date) -> list[StandIn]:
    """Return who stands in for whom today or later, in the order of the first days."""
    rows = StandIn.objects.filter(client=client, last_day__gte=today).select_related("person", "stand_in")
    return list(rows.order_by(F("first_day"), "pk"))
