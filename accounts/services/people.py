"""People who work for a client: create them, give them roles, and end their access.

A role is a group. Groups count for all clients of a person, so a person who works for several clients is changed by superusers.
Where four eyes apply, another administrator lets a new person sign in: nobody makes the second pair of eyes alone.
"""

import secrets
from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import QuerySet

from accounts.callers import Caller
from accounts.kinds import FourEyes
from accounts.models import Client, Event
from accounts.rights import CHANGE_SETTINGS, check_may
from accounts.services.second_factors import record, reset_factors
from accounts.sessions import end_sessions
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode

ADMINISTRATOR = "Administrator"
"""The role that every client needs."""


def people_of(client: Client) -> QuerySet[Any]:
    """Return the people who work for a client, by name. Superusers work for all clients, and are not among them."""
    people = get_user_model().objects.filter(clients=client, is_superuser=False)
    return people.order_by("-is_active", "username").prefetch_related("groups")


def planned_person(client: Client, *, roles: Collection[Group], caller: Caller, **names: str) -> Any:
    """Return a member of staff as `create_person` would store it, without a password. Writes nothing. Refuses the same."""
    check_may_give(caller, roles)
    user: Any = get_user_model()(**names, is_staff=True, is_active=not needs_another(client, caller))
    user.full_clean(exclude=["password"])
    return user


@transaction.atomic
def create_person(
    client: Client, *, username: str, first_name: str, last_name: str, email: str, roles: Collection[Group], caller: Caller
) -> tuple[Any, str]:
    """Create a member of staff who works for the client, and return the user with a first password.

    Where four eyes apply, the person may not sign in until another administrator allows it. Refuses (90009) a caller who may
    not change settings, and (90213) roles above the caller's own rights.
    """
    names = {"username": username, "first_name": first_name, "last_name": last_name, "email": email}
    user = planned_person(_locked(client), roles=roles, caller=caller, **names)
    password = secrets.token_urlsafe(12)
    validate_password(password, user)
    user.set_password(password)
    user.save()
    user.groups.set(roles)
    user.clients.add(client)
    record_acts(client, caller, [Act("person.added", after=_said(user, roles), row_no=user.pk)])
    return user, password


@transaction.atomic
def change_person(
    client: Client, user_no: int, *, roles: Collection[Group], is_active: bool, caller: Caller, **names: str
) -> Any:
    """Give a person other roles, or end or restore the access, and return the user. `names` are first_name, last_name, email.

    Refuses (90009) a caller who may not change settings, (90213) to give or take roles above the caller's own rights, and any
    other change of a person who has such a role, (90214) to take the last administrator away, (90215) superusers and people
    who work for other clients, and where four eyes apply (90360) to let somebody sign in whom the caller has added.
    """
    user = _person(client, user_no, caller)
    before, values = set(user.groups.all()), {**names, "is_active": is_active}
    is_other = any(getattr(user, name) != value for name, value in values.items())
    check_may_give(caller, before | set(roles) if is_other else before ^ set(roles))
    if is_active and not user.is_active and needs_another(_locked(client), caller) and _has_added(client, caller, user):
        raise BillingError(ErrorCode.OWN_PERSON, field="is_active")
    earlier, had_one = _said(user, before), _has_administrator(client)
    for name, value in values.items():
        setattr(user, name, value)
    user.full_clean(exclude=["password"])
    user.save(update_fields=[*names, "is_active"])
    user.groups.set(roles)
    if had_one and not _has_administrator(client):
        raise BillingError(ErrorCode.LAST_ADMINISTRATOR, field="roles")
    record_acts(client, caller, [Act("person.changed", before=earlier, after=_said(user, roles), row_no=user.pk)])
    return user


@transaction.atomic
def reset_person(client: Client, user_no: int, *, reason: str, caller: Caller) -> list[str]:
    """Remove all second factors of a person, end the sessions, and return which kinds of factors there were.

    Refuses as `change_person` does, (90215) the caller's own factors, and (90293) a person who has none.
    """
    user = _person(client, user_no, caller)
    if caller.staff is not None and caller.staff.pk == user.pk:
        raise BillingError(ErrorCode.OTHERS_PERSON, Detail("your own second factors are on the page of your account"))
    check_may_give(caller, user.groups.all())
    factors = reset_factors(user)
    end_sessions([user.pk])
    record(user, caller, "person.factors_reset", factors=factors, reason=reason)
    return factors


@transaction.atomic
def sign_out_person(client: Client, user_no: int, *, reason: str, caller: Caller) -> int:
    """End all sessions of a person, and return how many there were. Refuses as `change_person` does."""
    user = _person(client, user_no, caller)
    ended = end_sessions([user.pk])
    record(user, caller, "person.signed_out", sessions=ended, reason=reason)
    return ended


def roles_to_give(caller: Caller) -> list[Group]:
    """Return the roles whose rights the caller has, by name."""
    groups = Group.objects.order_by("name").prefetch_related("permissions__content_type")
    return [group for group in groups if _has_all(caller, group.permissions.all())]


def check_may_give(caller: Caller, roles: Iterable[Group], field: str = "roles") -> None:
    """Refuse (90009) a caller who may not change settings, and (90213) roles above the caller's own rights."""
    check_may(caller, CHANGE_SETTINGS)
    allowed = {group.pk for group in roles_to_give(caller)}
    for role in roles:
        if role.pk not in allowed:
            raise BillingError(ErrorCode.ROLE_ABOVE_ITS_GIVER, Detail("{role} has other rights", role=role.name), field=field)


def _person(client: Client, user_no: int, caller: Caller) -> Any:
    """Lock the client, and return a person whom the caller may change. Refuses (90009, 90215) others."""
    check_may(caller, CHANGE_SETTINGS)
    _locked(client)
    user = people_of(client).filter(pk=user_no).first()
    if user is None:
        raise BillingError(ErrorCode.OTHERS_PERSON)
    if user.clients.exclude(pk=client.pk).exists() and not _is_superuser(caller):
        raise BillingError(ErrorCode.OTHERS_PERSON, Detail("{name} works for other clients too", name=user.get_username()))
    return user


def _has_all(caller: Caller, permissions: Iterable[Permission]) -> bool:
    """Whether the caller has these permissions. A key has no role, so it gives none; the server's own commands give all."""
    if caller.staff is None:
        return caller.api_key is None
    needed = [f"{one.content_type.app_label}.{one.codename}" for one in permissions]
    return bool(caller.staff.has_perms(needed))


def _is_superuser(caller: Caller) -> bool:
    return caller.staff is not None and caller.staff.is_superuser


def needs_another(client: Client, caller: Caller) -> bool:
    """Return whether another administrator must let a person sign in whom the caller adds."""
    return client.four_eyes != FourEyes.OFF and caller.staff is not None and not _is_superuser(caller)


def _has_added(client: Client, caller: Caller, user: Any) -> bool:
    added = Event.objects.filter(client=client, act="person.added", staff=caller.staff)
    return added.filter(after__username=user.get_username()).exists()


def _has_administrator(client: Client) -> bool:
    return people_of(client).filter(is_active=True, groups__name=ADMINISTRATOR).exists()


def _locked(client: Client) -> Client:
    """Lock the client, so that two people do not take each other's last administrator away at once, and return it."""
    return Client.objects.select_for_update(no_key=True).get(pk=client.pk)


def _said(user: Any, roles: Iterable[Group]) -> dict[str, Any]:
    return {"username": user.get_username(), "roles": sorted(role.name for role in roles), "is_active": user.is_active}
