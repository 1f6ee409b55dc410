"""Save, read and remove saved views of lists."""

from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Client, SavedView
from billing_site.common.limits import SAVED_VIEWS_OF_A_LIST
from billing_site.errors import BillingError, ErrorCode


def views_of(client: Client, staff: Any, list_name: str) -> QuerySet[SavedView]:
    """Return the views of a list that this person sees, by name: their own, and those that others share."""
    seen = Q(staff=staff) | Q(is_shared=True)
    return SavedView.objects.filter(seen, client=client, list_name=list_name).select_related("staff")


def save_view(*, client: Client, staff: Any, list_name: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Save a view for this person. A view of theirs with the same name is replaced.

    Refuses (90220) a new view of a person who has as many of the list as are allowed.
    """
    mine = SavedView.objects.filter(client=client, staff=staff, list_name=list_name)
    if mine.exclude(name=name).count() >= SAVED_VIEWS_OF_A_LIST:
        raise BillingError(ErrorCode.TOO_MANY_VIEWS, field="name")
    view, _is_new = SavedView.objects.update_or_create(
        client=client, staff=staff, list_name=list_name, name=name, defaults={"query": query, "is_shared": is_shared}
    )
    return view


def remove_view(*, client: Client, staff: Any, list_name: str, name: str) -> bool:
    """Remove a person's own view. Returns whether there was one."""
    removed, _by_model = SavedView.objects.filter(client=client, staff=staff, list_name=list_name, name=name).delete()
    return removed > 0
