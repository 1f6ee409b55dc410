"""Change a client's settings.

Four-eyes settings are changed by a superuser, or proposed by one person and confirmed by another, so that nobody who is bound
by the rule can lift it alone.
"""

import logging
from collections.abc import Collection
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import FourEyes, SettingsChangeState
from accounts.models import Client, SettingsChange
from accounts.models.identities import PAYEE_FIELDS
from accounts.rights import CHANGE_SETTINGS, check_may
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode, word

logger = logging.getLogger(__name__)

OF_FOUR_EYES = ("four_eyes", "four_eyes_amount", "second_person_for")
WHERE_TO_PAY = ("iban", "bic", *PAYEE_FIELDS)
"""Customers pay there, so where four eyes are on, no person turns their money aside alone."""

NEXT_STATES = {
    SettingsChangeState.PROPOSED: (SettingsChangeState.CONFIRMED, SettingsChangeState.WITHDRAWN),
    SettingsChangeState.CONFIRMED: (),
    SettingsChangeState.WITHDRAWN: (),
}


@transaction.atomic
def change_settings(client: Client, changed: Collection[str], *, caller: Caller) -> SettingsChange | None:
    """Write the changed columns of a client, and return the proposal if there is one.

    If settings that two people decide on are among them and the caller is not a superuser, they are proposed instead, replacing
    an earlier proposal; `client` then gets its old values back. Refuses (90009) a caller who may not change settings, and
    (90331) such settings to a program: who made its key could change them alone. Locks the client's row.
    """
    check_may(caller, CHANGE_SETTINGS)
    stored = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    names = settings_of_two_people(stored)
    guarded = [name for name in names if name in changed and getattr(client, name) != getattr(stored, name)]
    if guarded and caller.api_key is not None:
        raise BillingError(ErrorCode.SETTINGS_NEED_PERSON, ", ".join(guarded), field=guarded[0])
    change = _propose(stored, client, guarded, caller) if guarded and _is_bound(caller) else None
    if change is not None:
        for name in guarded:
            setattr(client, name, getattr(stored, name))
    written = [name for name in changed if change is None or name not in guarded]
    if written:
        client.save(update_fields=written)
    return change


def settings_of_two_people(client: Client) -> tuple[str, ...]:
    """Return the settings that one person proposes and another confirms: those of the four-eyes rule, and where it is on, where
    customers pay."""
    return OF_FOUR_EYES if client.four_eyes == FourEyes.OFF else (*OF_FOUR_EYES, *WHERE_TO_PAY)


def set_logo(client: Client, file: UploadedFile, *, caller: Caller) -> None:
    """Store a logo, which takes the place of the one before. The file is not checked here: its field is (`validate_logo`).

    Refuses (90009) a caller who may not change settings, and (90350) if the storage does not take the file. The file before is
    deleted after the commit. Locks the client's row.
    """
    _replace_logo(client, file, caller)


def remove_logo(client: Client, *, caller: Caller) -> None:
    """Remove the logo, if there is one. Refuses (90009) a caller who may not change settings. Locks the client's row."""
    _replace_logo(client, None, caller)


def _replace_logo(client: Client, file: UploadedFile | None, caller: Caller) -> None:
    check_may(caller, CHANGE_SETTINGS)
    # Files are stored before the transaction, so that a slow storage locks no row.
    name = _stored_logo(client, file) if file is not None else ""
    with transaction.atomic():
        stored = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
        before = stored.logo.name
        stored.logo.name = name
        stored.save(update_fields=["logo"])
        if before:
            transaction.on_commit(partial(stored.logo.storage.delete, before), robust=True)


def _stored_logo(client: Client, file: UploadedFile) -> str:
    logo: Any = Client._meta.get_field("logo")
    try:
        return str(logo.storage.save(logo.generate_filename(client, file.name), file))
    except Exception as error:
        logger.exception("a logo of client %s could not be stored", client.pk)
        why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        raise BillingError(ErrorCode.LOGO_NOT_STORED, Detail("the storage of documents failed: {why}", why=why)) from error


def proposed_change(client: Client) -> SettingsChange | None:
    """Return the client's proposed change that needs confirmation, if any."""
    return client.settings_changes.filter(state=SettingsChangeState.PROPOSED).select_related("proposed_by").first()


@transaction.atomic
def confirm_change(client: Client, change_no: int, *, caller: Caller) -> SettingsChange:
    """Apply the settings that another person proposed, and return the change.

    Refuses callers who may not change settings (90009) or proposed the change themselves (90071), and a change that is already
    decided or whose settings changed since (90072). Locks the client's row.
    """
    stored, change = _locked(client, change_no, caller)
    if caller.staff is None or caller.staff.pk == change.proposed_by_id:
        raise BillingError(
            ErrorCode.SETTINGS_NEED_ANOTHER,
            Detail("another administrator must confirm it, or a superuser must make the change"),
        )
    moved = [name for name, value in change.before.items() if _plain(stored, name) != value]
    if moved:
        raise BillingError(
            ErrorCode.CHANGE_DECIDED,
            Detail("{names} changed after the proposal; propose the change again", names=", ".join(moved)),
        )
    for name, value in change.after.items():
        setattr(stored, name, Decimal(value) if name == "four_eyes_amount" else value)
    stored.full_clean()
    stored.save(update_fields=list(change.after))
    return _decided(change, SettingsChangeState.CONFIRMED, caller)


@transaction.atomic
def withdraw_change(client: Client, change_no: int, *, caller: Caller) -> SettingsChange:
    """Withdraw a proposed change. Refuses callers who may not change settings (90009) and a change already decided (90072)."""
    _stored, change = _locked(client, change_no, caller)
    return _decided(change, SettingsChangeState.WITHDRAWN, caller)


def _is_bound(caller: Caller) -> bool:
    return caller.staff is not None and not caller.staff.is_superuser


def _propose(stored: Client, changed: Client, names: Collection[str], caller: Caller) -> SettingsChange:
    earlier = proposed_change(stored)
    if earlier is not None:
        _decided(earlier, SettingsChangeState.WITHDRAWN, caller)
    change = SettingsChange.objects.create(
        client=stored,
        before={name: _plain(stored, name) for name in names},
        after={name: _plain(changed, name) for name in names},
        proposed_by=caller.staff,
    )
    record_acts(stored, caller, [Act("settings.proposed", before=change.before, after=change.after, row_no=change.pk)])
    return change


def _locked(client: Client, change_no: int, caller: Caller) -> tuple[Client, SettingsChange]:
    check_may(caller, CHANGE_SETTINGS)
    stored = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    change = SettingsChange.objects.filter(client=client, pk=change_no).first()
    if change is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("proposed change {change_no} does not exist", change_no=change_no))
    return stored, change


def _decided(change: SettingsChange, state: SettingsChangeState, caller: Caller) -> SettingsChange:
    if state not in NEXT_STATES[SettingsChangeState(change.state)]:
        raise BillingError(
            ErrorCode.CHANGE_DECIDED,
            Detail("proposed change {change} is already {state}", change=change.pk, state=word(change.state)),
        )
    change.state, change.decided_by, change.decided_at = state, caller.staff, timezone.now()
    change.save(update_fields=["state", "decided_by", "decided_at"])
    record_acts(change.client, caller, [Act(f"settings.{state}", before=change.before, after=change.after, row_no=change.pk)])
    return change


def _plain(client: Client, name: str) -> Any:
    """Return a setting as JSON stores it: amounts as text without trailing zeros."""
    value = getattr(client, name)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
