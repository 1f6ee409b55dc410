"""Days on which billing is paused. Each change of an account's status is followed here, however it is written."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BILLABLE_STATUSES, AccountStatus
from accounts.models.history import MasterDataHistory
from accounts.validators import validate_billing_day


class BillingPause(models.Model):
    """Days of an account that are not charged. A status that is not billed begins a pause, and its end ends the pause."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="pauses")
    first_day = models.DateField(validators=[validate_billing_day], help_text=_("First day that is not charged."))
    last_day = models.DateField(
        null=True,
        blank=True,
        validators=[validate_billing_day],
        help_text=_("Last day that is not charged. Empty: until the pause is ended."),
    )
    by_status = models.BooleanField(default=False, editable=False, help_text=_("The account's status began it, and ends it."))
    history = MasterDataHistory()

    class Meta:
        ordering = ["first_day", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__isnull=True) | Q(last_day__gte=F("first_day")), name="a_pause_ends_after_its_start"
            ),
            models.UniqueConstraint(fields=["account"], condition=Q(last_day__isnull=True), name="one_open_pause_per_account"),
        ]

    def __str__(self) -> str:
        return f"{self.first_day} - {self.last_day or ''}"


def client_today(time_zone: str, offset: timedelta) -> date:
    """Return the date of a client's clock."""
    now = timezone.now() + (offset if settings.VIRTUAL_CLOCK else timedelta())
    return now.astimezone(ZoneInfo(time_zone)).date()


class AccountQuerySet(models.QuerySet[Any]):
    """Accounts. An update of their status begins or ends pauses of billing."""

    def update(self, **values: Any) -> int:
        if "status" not in values:
            return super().update(**values)
        with transaction.atomic(using=self.db):
            before = dict(self.order_by().values_list("pk", "status"))
            changed = super().update(**values)
            follow_status(self.model, before)
        return changed


def follow_status(account: type[models.Model], before: Mapping[int, int]) -> None:
    """Begin or end the pauses of accounts whose status was another one before. Called in the transaction of the change.

    An account that is reinstated to be billed for the time before (status 22) has no pause.
    """
    rows = account._base_manager.filter(pk__in=before).values_list("pk", "status", "client__time_zone", "client__clock_offset")
    begun, ended = {}, {}
    for number, status, time_zone, offset in rows:
        was, is_now = before[number] in BILLABLE_STATUSES, status in BILLABLE_STATUSES
        if was and not is_now:
            begun[number] = client_today(time_zone, offset)
        elif is_now and not was:
            ended[number] = None if status == AccountStatus.REINSTATED_BACK_BILL else client_today(time_zone, offset)
    _begin(begun)
    _end(ended)
    moved = {*begun, *ended}
    if moved:
        account._base_manager.filter(pk__in=moved).update(billing_version=F("billing_version") + 1)


def _begin(days: Mapping[int, date]) -> None:
    paused = set(BillingPause.objects.filter(account__in=list(days), last_day=None).values_list("account_id", flat=True))
    for number, day in days.items():
        if number not in paused:
            BillingPause.objects.create(account_id=number, first_day=day, by_status=True)


def _end(days: Mapping[int, date | None]) -> None:
    """End the open pauses that a status began, on the day before. One that would have no day left is removed."""
    for pause in BillingPause.objects.filter(account__in=list(days), by_status=True, last_day=None):
        day = days[pause.account_id]
        if day is None or day <= pause.first_day:
            pause.delete()
        else:
            pause.last_day = day - timedelta(days=1)
            pause.save(update_fields=["last_day"])
