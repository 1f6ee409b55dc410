"""Who is billed, for what, and who is asking."""

from accounts.models.accounts import Account, Contact, PaymentMethod, PlanInstance, PlanInstancePrice
from accounts.models.catalogue import Plan, PlanCharge, Service, ServiceLocation
from accounts.models.clients import Address, ApiKey, Client
from accounts.models.trail import Event, Receipt

__all__ = [
    "Account",
    "Address",
    "ApiKey",
    "Client",
    "Contact",
    "Event",
    "PaymentMethod",
    "Plan",
    "PlanCharge",
    "PlanInstance",
    "PlanInstancePrice",
    "Receipt",
    "Service",
    "ServiceLocation",
]
