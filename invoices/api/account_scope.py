"""Find the account that a method call is about."""

from accounts.api.serializers import ACCOUNT_COLUMNS
from accounts.aria.method_calls import Call
from accounts.models import PlanInstance
from accounts.services.accounts import account_no_named
from accounts.services.named_rows import names_in
from billing_site.errors import BillingError, Detail, ErrorCode

GROUP_FIELDS = ("billing_group_no", "client_billing_group_id")
INSTANCE_FIELDS = ("master_plan_instance_no", "master_plan_instance_id")
SCOPE_FIELDS = (*INSTANCE_FIELDS, "client_master_plan_instance_id", *GROUP_FIELDS)


def account_no_of(call: Call) -> int:
    """Return the number of the account that the call names. Refuses names of different accounts (1016), and a plan instance in
    the call that is not the account's."""
    account_no = account_no_named(call.client, names_in(call.arguments, ACCOUNT_COLUMNS))
    check_scope(call, account_no)
    return account_no


def check_scope(call: Call, account_no: int) -> None:
    """Refuse a plan instance that is not the account's (14046, 14047; -1 means all), and billing groups, which are not
    supported."""
    arguments = call.arguments
    for name in INSTANCE_FIELDS:
        instance_no = arguments.get(name, -1)
        if instance_no != -1:
            check_instance(account_no, name, instance_no)
    name = "client_master_plan_instance_id"
    if name in arguments:
        detail = Detail("{field}: plan instances have numbers only; give the number", field=name)
        raise BillingError(ErrorCode.NO_CLIENT_PLAN_INSTANCE, detail, field=name)
    for name in GROUP_FIELDS:
        if name in arguments:
            raise BillingError(ErrorCode.INVALID_INPUT, f"{name}: accounts have no billing groups; leave it out", field=name)


def check_instance(account_no: int, name: str, instance_no: int) -> None:
    """Refuse a plan instance that is not the account's (14046)."""
    if not PlanInstance.objects.filter(account=account_no, pk=instance_no).exists():
        raise BillingError(ErrorCode.NO_PLAN_INSTANCE, f"{name} {instance_no} is not on account {account_no}", field=name)
