"""Who is signed in: users with what their roles ask for, the check of each request, and what ends sessions."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model, logout
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_in
from django.db.models import BooleanField, Case, Exists, F, OuterRef, QuerySet, Value, When
from django.db.models.functions import Concat
from django.db.models.signals import m2m_changed, pre_save
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.call_log import calling_address
from accounts.models import Client
from accounts.sessions import ADDRESS, BROWSER, FACTOR, SIGNED_IN_AT, end_sessions
from billing_site.common.compiled_reads import compiled_read

ENDING_COLUMNS = ("password", "is_active", "is_staff", "is_superuser")
"""A user's columns that end the sessions when they change."""


def needs_factor() -> Case:
    """Return, for a query of users, whether a client that a user works for asks for a second factor in one of the user's
    roles. Superusers work for all clients: it is asked if any client does for any role."""
    asking = Client.objects.exclude(second_factor_roles="")
    listed = Concat(Value(","), F("second_factor_roles"), Value(","))
    naming = (
        asking.filter(staff=OuterRef(OuterRef("pk")))
        .annotate(listed=listed)
        .filter(listed__contains=Concat(Value(","), OuterRef("name"), Value(",")))
    )
    roles = Group.objects.filter(user=OuterRef("pk")).filter(Exists(naming))
    return Case(When(is_superuser=True, then=Exists(asking)), default=Exists(roles), output_field=BooleanField())


@compiled_read
def _users(user_no: int) -> QuerySet[Any]:
    """Each request of a person asks for this."""
    users: QuerySet[Any] = get_user_model()._default_manager.filter(pk=user_no).annotate(needs_factor=needs_factor())
    return users


class StaffBackend(ModelBackend):
    """Users with passwords. A user of a session knows whether a second factor is needed, without a query of its own."""

    def get_user(self, user_id: Any) -> Any:
        return next((user for user in _users(user_id) if self.user_can_authenticate(user)), None)


def session_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Sign out whoever needs a second factor and has not shown it in the session, so that each door answers as it answers
    strangers; and record when sessions are used."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session and request.user.is_authenticated and not _may_go_on(request):
            logout(request)
        return get_response(request)

    return middleware


def _may_go_on(request: HttpRequest) -> bool:
    session: Any = request.session
    if getattr(request.user, "needs_factor", False) and not session.get(FACTOR):
        return False
    return bool(session.note_use(calling_address(request)))


def _begin(sender: Any, request: Any, user: Any, **signal: Any) -> None:
    """Keep in the session when, from where and by what its user has signed in."""
    session = getattr(request, "session", None)
    if session is not None:
        session[SIGNED_IN_AT] = timezone.now().isoformat()
        session[ADDRESS] = calling_address(request)[:45]
        session[BROWSER] = request.headers.get("User-Agent", "").replace("\0", "")[:200]


def _end_changed(sender: Any, instance: Any, update_fields: Any = None, raw: bool = False, **signal: Any) -> None:
    """End the sessions of a user whose password, access or rights above all roles change."""
    names = [name for name in ENDING_COLUMNS if update_fields is None or name in update_fields]
    if raw or instance.pk is None or not names:
        return
    stored = sender._default_manager.filter(pk=instance.pk).values(*names).first()
    if stored is not None and any(stored[name] != getattr(instance, name) for name in names):
        end_sessions([instance.pk])


def _end_of_other_roles(sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, **signal: Any) -> None:
    """End the sessions of users who get or lose a role."""
    if action == "pre_clear":
        end_sessions([one.pk for one in instance.user_set.all()] if reverse else [instance.pk])
    elif action in ("post_add", "post_remove") and pk_set:
        end_sessions(pk_set if reverse else [instance.pk])


def _rename_roles(sender: Any, instance: Any, raw: bool = False, **signal: Any) -> None:
    """Let the settings of clients follow the new name of a role."""
    old = Group.objects.filter(pk=instance.pk).values_list("name", flat=True).first()
    if raw or old is None or old == instance.name:
        return
    for client in Client.objects.select_for_update(no_key=True).filter(second_factor_roles__contains=old):
        names = [instance.name if name == old else name for name in client.second_factor_roles.split(",")]
        if names != client.second_factor_roles.split(","):
            client.second_factor_roles = ",".join(names)
            client.save(update_fields=["second_factor_roles"])


def watch_people() -> None:
    """Connect the signals. Called once, when the models are ready."""
    user = get_user_model()
    user_logged_in.connect(_begin)
    pre_save.connect(_end_changed, sender=user)
    pre_save.connect(_rename_roles, sender=Group)
    m2m_changed.connect(_end_of_other_roles, sender=user.groups.through)
