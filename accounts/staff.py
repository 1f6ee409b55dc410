"""Which clients a member of staff works for, and who is meant where one is named."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from accounts.models import ApiCall, ApiKey, Client, Event


def clients_of(user: Any) -> QuerySet[Client]:
    """The clients whose rows a member of staff may see: a superuser sees all, others those that name them, a stranger none."""
    if not (user.is_active and user.is_staff):
        return Client.objects.none()
    return Client.objects.all() if user.is_superuser else Client.objects.filter(staff=user)


def names_of(identities: Iterable[str]) -> dict[str, str]:
    """Return who each identity of `Caller.identity` is, in words: "Ann Lee", "key Shop", "process bill".

    Two queries at most. An identity whose user or key does not exist any more is "user 7" or "key 7".
    """
    parts = {one: one.partition(":")[::2] for one in set(identities)}
    numbered = [(kind, int(number)) for kind, number in parts.values() if number.isdecimal()]
    users, keys = ([number for kind, number in numbered if kind == wanted] for wanted in ("staff", "key"))
    found = get_user_model().objects.in_bulk(users) if users else {}
    names = {f"staff:{number}": name_of_user(user) for number, user in found.items()}
    if keys:
        rows = ApiKey.objects.filter(pk__in=keys).values_list("pk", "name")
        names |= {f"key:{number}": f"key {name}" for number, name in rows}
    return {one: names.get(one) or _unknown(kind, rest) for one, (kind, rest) in parts.items()}


def name_of_user(user: Any) -> str:
    """Return the full name, or the user name where there is none."""
    return str(user.get_full_name() or user.get_username())


def who_did(row: Event | ApiCall) -> str:
    """Return who an event or call is of, in the same words; "" for a call of nobody. Reads its user and key, if not at hand."""
    if row.staff is not None:
        return name_of_user(row.staff)
    if row.api_key is not None:
        return f"key {row.api_key.name}"
    process = getattr(row, "process", "")
    return f"process {process}" if process else ""


def name_of(identity: str) -> str:
    """Return who one identity is, in words; "" for none."""
    return names_of([identity])[identity] if identity else ""


def _unknown(kind: str, rest: str) -> str:
    return f"{'user' if kind == 'staff' else kind} {rest}".strip()
