"""Addresses that are told of events, and what was sent to them."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, Event
from invoices.kinds import DeliveryState


class WebhookEndpoint(models.Model):
    """An address of a client's other system that gets its events."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(_("address"), max_length=500, help_text=_("Begins with https://."))
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField(
        default=list, blank=True, help_text=_("Types of events, or their beginnings such as invoice.*. Empty: all.")
    )
    is_on = models.BooleanField(_("on"), default=True)
    off_because = models.CharField(max_length=300, blank=True, help_text=_("Why it was switched off. Empty: by a person."))
    off_since = models.DateTimeField(null=True)
    secret = models.CharField(max_length=100)
    old_secret = models.CharField(max_length=100, blank=True)
    old_secret_until = models.DateTimeField(null=True, help_text=_("Until then, the secret before it signs too."))
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=60)
    read_until = models.BigIntegerField(default=0, help_text=_("Number of the last event that was looked at for it."))
    failures = models.PositiveIntegerField(default=0, help_text=_("Failures since the last success."))
    rests_until = models.DateTimeField(null=True, help_text=_("Nothing is sent before, because it did not answer."))
    worked_at = models.DateTimeField(null=True, help_text=_("When it has accepted an event the last time."))
    claimed_by = models.BigIntegerField(null=True, help_text=_("Number of the worker that sends to it now."))

    class Meta:
        ordering = ["id"]
        verbose_name = _("webhook endpoint")

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """An event that must be sent to an endpoint, or was."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+")
    about = models.CharField(max_length=40, help_text=_("What the event is about. Events about the same are sent in order."))
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    first_tried_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="one_delivery_per_event"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "about", "event"], condition=Q(state=DeliveryState.WAITING), name="waiting_about"),
            models.Index(fields=["endpoint", "event"], condition=Q(state=DeliveryState.WAITING), name="waiting_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.state}"


class WebhookTry(models.Model):
    """One request of a delivery, with its answer."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    address = models.CharField(max_length=45, blank=True, help_text=_("The network address that the name had."))
    headers = models.JSONField(default=dict, help_text=_("What was sent beside the event."))
    http_status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True, help_text=_("The beginning of the answer."))
    problem = models.CharField(max_length=300, blank=True, help_text=_("Why it failed. Empty: it did not."))

    class Meta:
        ordering = ["id"]
        verbose_name = _("webhook request")

    def __str__(self) -> str:
        return self.problem or str(self.http_status)
