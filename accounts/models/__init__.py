"""Clients, accounts, catalogue, and the record of calls and events."""

from accounts.models.accounts import Account, Contact, PaymentMethod, PlanInstance
from accounts.models.catalogue import Plan, PlanCharge, PlanMinimum, Service, ServiceLocation
from accounts.models.clients import Address, ApiKey, Client, CollectionThreshold
from accounts.models.pauses import BillingPause
from accounts.models.privacy import PersonalDataAccess
from accounts.models.rates import RateSchedule, RateTier
from accounts.models.saved_views import SavedView
from accounts.models.settings_changes import SettingsChange
from accounts.models.signing_in import AuthenticatorApp, Passkey, RecoveryCode, SingleSignOn, StaffSession
from accounts.models.trail import ApiCall, Event, LiftedGuard, Receipt

__all__ = [
    "ApiCall",
    "Account",
    "Address",
    "ApiKey",
    "AuthenticatorApp",
    "BillingPause",
    "Client",
    "CollectionThreshold",
    "Contact",
    "Event",
    "LiftedGuard",
    "Passkey",
    "PaymentMethod",
    "PersonalDataAccess",
    "Plan",
    "PlanCharge",
    "PlanInstance",
    "PlanMinimum",
    "RateSchedule",
    "RateTier",
    "Receipt",
    "RecoveryCode",
    "SavedView",
    "Service",
    "ServiceLocation",
    "SettingsChange",
    "SingleSignOn",
    "StaffSession",
]
