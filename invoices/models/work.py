"""Background processes, and daily tasks."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from invoices.kinds import ScheduledAct


class Worker(models.Model):
    """A process that claims work. If it has not been seen for some time, others take over what it has claimed."""

    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return gettext("%(name)s %(pid)s on %(host)s") % {"name": self.name, "pid": self.pid, "host": self.host}


class Schedule(models.Model):
    """A task that is done for a client once a day, from an hour of its time zone on."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="schedules", db_index=False)
    act = models.CharField(max_length=20, choices=ScheduledAct)
    hour = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(23)],
        help_text=_("Hour of the day in the client's time zone, from 0 to 23. An hour that a day skips is the next one."),
    )
    is_on = models.BooleanField(_("on"), default=True)
    next_day = models.DateField(editable=False, help_text=_("The client's day on which it is done next."))
    next_at = models.DateTimeField(editable=False)
    last_started_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    message = models.CharField(max_length=300, blank=True, editable=False, help_text=_("Why it failed. Empty: it did not."))
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the message, for its translation. JSON.")
    )
    claimed_by = models.BigIntegerField(null=True, editable=False, help_text=_("Number of the worker that does it now."))

    class Meta:
        ordering = ["client", "act"]
        constraints = [
            models.UniqueConstraint(fields=["client", "act"], name="one_schedule_per_act"),
            models.CheckConstraint(condition=Q(hour__lte=23), name="schedule_hour"),
            models.CheckConstraint(condition=Q(act__in=ScheduledAct.values), name="schedule_act"),
        ]
        indexes = [models.Index(fields=["next_at"], name="schedule_next", condition=Q(is_on=True))]

    def __str__(self) -> str:
        return gettext("%(act)s at %(hour)s:00") % {"act": self.get_act_display(), "hour": self.hour}


class OverdueWatch(models.Model):
    """The client's day until which the events of overdue documents are written."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="overdue_watch", primary_key=True)
    day = models.DateField()

    def __str__(self) -> str:
        return str(self.day)
