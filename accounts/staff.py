"""The clients that staff are assigned to, and the names of people and keys."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import ApiCall, ApiKey, Client, Event
from billing_site.common.compiled_reads import Reading, compiled_read
from billing_site.errors import BillingError, Detail, ErrorCode


def clients_of(user: Any) -> QuerySet[Client]:
    """Return the clients whose rows a user may see: superusers all, staff those they are assigned to, others none."""
    if not (user.is_active and user.is_staff):
        return Client.objects.none()
    return Client.objects.all() if user.is_superuser else Client.objects.filter(staff=user)


def works_for(client: Client, user: str = "") -> Q:
    """Select the users who may see the client's rows, as `clients_of` says for one. `user` leads to them, as in "person__"."""
    works = Q(**{f"{user}is_superuser": True}) | Q(**{f"{user}clients": client})
    return works & Q(**{f"{user}is_active": True, f"{user}is_staff": True})


def names_of(identities: Iterable[str]) -> dict[str, str]:
    """Return the name of each identity (see `Caller.identity`) in the active language: "Ann Lee", "key Shop", "process bill".

    At most two queries. An identity whose user or key no longer exists is "user 7" or "key 7".
    """
    parts = {one: one.partition(":")[::2] for one in set(identities)}
    users, keys = _numbers_of(parts)
    names = {f"staff:{user.pk}": name_of_user(user) for user in _users(users)}
    names |= {f"key:{number}": gettext("key %(name)s") % {"name": name} for number, name in _keys(keys)}
    return {one: names.get(one) or _unknown(kind, rest) for one, (kind, rest) in parts.items()}


def name_readings(identities: Iterable[str]) -> list[Reading]:
    """Return what `names_of` reads, to be read ahead with others."""
    users, keys = _numbers_of(identities)
    return [_users.of(users), _keys.of(keys)]


def _numbers_of(identities: Iterable[str]) -> tuple[list[int], list[int]]:
    """Return the numbers of the users and of the keys among identities, each in order."""
    parts = (one.partition(":") for one in set(identities))
    numbered = sorted((kind, int(number)) for kind, _, number in parts if number.isdecimal())
    return [number for kind, number in numbered if kind == "staff"], [number for kind, number in numbered if kind == "key"]


@compiled_read
def _users(numbers: Collection[int]) -> QuerySet[Any]:
    return get_user_model().objects.filter(pk__in=numbers)


@compiled_read
def _keys(numbers: Collection[int]) -> Any:
    return ApiKey.objects.filter(pk__in=numbers).values_list("pk", "name")


def caller_of(identity: str) -> Caller:
    """Return the caller of an identity (see `Caller.identity`), to continue work that it started.

    Refuses (90009) a user or key that no longer exists.
    """
    kind, _, rest = identity.partition(":")
    if kind == "process":
        return Caller(process=rest)
    rows: Any = get_user_model().objects if kind == "staff" else ApiKey.objects.filter(revoked_at=None)
    found = rows.filter(pk=rest).first()
    if found is None:
        raise BillingError(ErrorCode.PERMISSION, Detail("{name} does not exist any more", name=name_of(identity)))
    return Caller(staff=found) if kind == "staff" else Caller(api_key=found)


def name_of_user(user: Any) -> str:
    """Return the full name, or the user name if there is none."""
    return str(user.get_full_name() or user.get_username())


def who_did(row: Event | ApiCall) -> str:
    """Return the name of who made an event or call, "" if unknown. Reads its user and key if they are not loaded."""
    if row.staff is not None:
        return name_of_user(row.staff)
    if row.api_key is not None:
        return gettext("key %(name)s") % {"name": row.api_key.name}
    process = getattr(row, "process", "")
    return gettext("process %(name)s") % {"name": process} if process else ""


def name_of(identity: str) -> str:
    """Return the name of one identity, "" for none."""
    return names_of([identity])[identity] if identity else ""


def _unknown(kind: str, rest: str) -> str:
    words = {"staff": gettext("user %(name)s"), "key": gettext("key %(name)s"), "process": gettext("process %(name)s")}
    return words[kind] % {"name": rest} if kind in words else f"{kind} {rest}".strip()
