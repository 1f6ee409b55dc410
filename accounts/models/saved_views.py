"""Saved views: what a person looks at in a list of the back office, under a name."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.clients import Client
from billing_site.common.limits import SAVED_VIEW_NAME_LENGTH


class SavedView(models.Model):
    """Filters, order and columns of a list. Its owner sees it, and if it is shared, everyone who works for the client."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="saved_views", db_index=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=50, help_text=_("The name of the list's address."))
    name = models.CharField(max_length=SAVED_VIEW_NAME_LENGTH)
    query = models.TextField(blank=True, help_text=_("Filters, order and columns, as the list's address has them."))
    is_shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["name", "id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["client", "list_name", "staff", "name"], name="one_view_per_name")]

    def __str__(self) -> str:
        return self.name
