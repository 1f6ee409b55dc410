"""Find the account that a method call is about."""

from accounts.aria.method_calls import Call
from accounts.models import PlanInstance
from accounts.services.accounts import find_account_no
from billing_site.errors import BillingError, ErrorCode

GROUP_FIELDS = ("billing_group_no", "client_billing_group_id")
INSTANCE_FIELDS = ("master_plan_instance_no", "master_plan_instance_id")
SCOPE_FIELDS = (*INSTANCE_FIELDS, "client_master_plan_instance_id", *GROUP_FIELDS)


def account_no_of(call: Call) -> int:
    """Return the account's number. Refuses a plan instance in the call that is not the account's."""
    arguments = call.arguments
    name = "account_no" if "account_no" in arguments and "acct_no" not in arguments else "acct_no"
    account_no = find_account_no(call.client, arguments.get(name), arguments.get("client_acct_id"), name)
    check_scope(call, account_no)
    return account_no


def check_scope(call: Call, account_no: int) -> None:
    """Refuse a plan instance that is not the account's (14046, 14047; -1 means all), and billing groups, which are not
    supported."""
    arguments = call.arguments
    for name in INSTANCE_FIELDS:
        instance_no = arguments.get(name, -1)
        if instance_no != -1 and not PlanInstance.objects.filter(account=account_no, pk=instance_no).exists():
            raise BillingError(ErrorCode.NO_PLAN_INSTANCE, f"{name} {instance_no} is not on account {account_no}", field=name)
    if "client_master_plan_instance_id" in arguments:
        raise BillingError(ErrorCode.NO_CLIENT_PLAN_INSTANCE, field="client_master_plan_instance_id")
    for name in GROUP_FIELDS:
        if name in arguments:
            raise BillingError(ErrorCode.INVALID_INPUT, f"{name}: accounts have no billing groups; leave it out", field=name)
