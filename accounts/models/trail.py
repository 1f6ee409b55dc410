"""Append-only records of calls and acts, used by timelines, audits and retries."""

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.accounts import Account
from accounts.models.clients import ApiKey, Client
from billing_site.errors import ErrorCode


class Receipt(models.Model):
    """A used client_receipt_id or Idempotency-Key with the answer of its call (see `accounts.receipts`)."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="receipts", db_index=False)
    receipt_id = models.CharField(max_length=255)
    method = models.CharField(max_length=300, help_text=_("The method call, or the HTTP method and address."))
    arguments_hash = models.CharField(
        max_length=64, help_text=_("SHA-256 of the arguments, without credentials and caller fields.")
    )
    token = models.CharField(max_length=32, default="", help_text=_("Tells which of several equal calls did the work."))
    succeeded = models.BooleanField()
    invoice_no = models.BigIntegerField(null=True)
    row_no = models.BigIntegerField(null=True, help_text=_("The transaction or other row that the call created."))
    answer = models.TextField(blank=True, default="", help_text=_("The stored answer. Empty while the call is running."))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["client", "receipt_id"], name="one_use_per_receipt_id")]
        # Finds the call that made a transaction, by the token of its event.
        indexes = [models.Index(fields=["token"], condition=~Q(token=""), name="receipts_by_token")]

    def __str__(self) -> str:
        return self.receipt_id


class WriteTime(Now):
    """The time at which a row is written. On PostgreSQL, `Now` is the time at which its statement began."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CLOCK_TIMESTAMP()", **context)


class Event(models.Model):
    """One act on money, or its refusal: who, what, which document, before and after. Never changed, and kept for ever."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="events", db_index=False)
    at = models.DateTimeField()
    act = models.CharField(max_length=50, help_text=_("Such as invoice.generated or invoice.approved."))
    type = models.CharField(
        max_length=40,
        default="",
        db_default="",
        blank=True,
        help_text=_("The type under which programs read it and get it by webhook. Empty: it is for people only."),
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="events", db_index=False)
    invoice_no = models.BigIntegerField(null=True)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    process = models.CharField(max_length=50, blank=True, help_text=_("The command that acted, if nobody was signed in."))
    caller = models.JSONField(default=dict, help_text=_("alt_caller_id, application and qualifiers, as sent."))
    request_id = models.CharField(max_length=64, blank=True)
    call_token = models.CharField(max_length=32, blank=True, help_text=_("Token of the receipt, if the call has one."))
    error_code = models.IntegerField(default=0, help_text=_("0, or the error code of the refusal."))
    message = models.TextField(blank=True)
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the message, for its translation. JSON.")
    )
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    written_at = models.DateTimeField(
        db_default=WriteTime(), editable=False, help_text=_("When its number was taken. It is visible from its commit on.")
    )

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["client", "id"], name="event_of_client"),
            models.Index(fields=["client", "type", "id"], name="event_of_type"),
            models.Index(fields=["account", "id"], name="event_of_account"),
            models.Index(fields=["invoice_no", "id"], name="event_of_invoice"),
            # The dashboard shows recent refusals.
            models.Index(fields=["client", "error_code", "at"], condition=~Q(error_code=0), name="refusals_of_client"),
            models.Index(fields=["call_token", "id"], condition=~Q(call_token=""), name="events_of_call"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.invoice_no or ''}".strip()


class LiftedGuard(models.Model):
    """While a transaction sees a row here, the triggers of `billing_site.common.guards` let everything through. No row is ever
    committed."""

    def __str__(self) -> str:
        return gettext("Nothing is guarded")


class ApiCall(models.Model):
    """One API call: caller, address, result and duration. Never a secret, never a body.

    Numbers are stored as sent: a call may name an account that does not exist.
    """

    at = models.DateTimeField()
    client = models.ForeignKey(Client, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    method = models.CharField(max_length=200, help_text=_("The method call, or the HTTP method and address without numbers."))
    account_no = models.BigIntegerField(null=True)
    receipt_id = models.CharField(max_length=255, blank=True, help_text=_("client_receipt_id or Idempotency-Key."))
    error_code = models.IntegerField(default=0)
    message = models.TextField(blank=True)
    http_status = models.PositiveSmallIntegerField()
    milliseconds = models.PositiveIntegerField()
    address = models.CharField(max_length=45, blank=True)
    caller = models.CharField(max_length=30, blank=True, help_text=_("alt_caller_id, as sent."))
    request_id = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("API call")
        indexes = [
            models.Index(fields=["client", "id"], name="calls_of_client"),
            models.Index(fields=["at"], name="calls_by_time"),
            models.Index(fields=["request_id"], name="calls_by_request"),
            models.Index(
                fields=["client", "method"],
                name="calls_of_missing_methods",
                condition=Q(error_code=ErrorCode.API_NOT_FOUND.number),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.request_id}"
