"""Clients, accounts, catalogue, and the record of calls and events."""

from accounts.models.accounts import Account, Contact, PaymentMethod, PlanInstance
from accounts.models.catalogue import Plan, PlanCharge, Service, ServiceLocation
from accounts.models.clients import Address, ApiKey, Client, CollectionThreshold
from accounts.models.rates import RateSchedule, RateTier
from accounts.models.settings_changes import SettingsChange
from accounts.models.trail import ApiCall, Event, Receipt

__all__ = [
    "ApiCall",
    "Account",
    "Address",
    "ApiKey",
    "Client",
    "CollectionThreshold",
    "Contact",
    "Event",
    "PaymentMethod",
    "Plan",
    "PlanCharge",
    "PlanInstance",
    "RateSchedule",
    "RateTier",
    "Receipt",
    "Service",
    "ServiceLocation",
    "SettingsChange",
]
