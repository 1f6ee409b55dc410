"""People who work for the client, and their roles."""

from typing import Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Event
from accounts.rights import CHANGE_SETTINGS
from accounts.services.people import (
    change_person,
    create_person,
    needs_another,
    people_of,
    planned_person,
    reset_person,
    roles_to_give,
    sign_out_person,
)
from accounts.services.second_factors import people_with_factor
from accounts.staff import name_of_user
from billing_site.common.keyset_pages import Order, page_of
from invoices.pages.acts.base import ActForm
from invoices.pages.changing import ChangePage
from invoices.pages.settings.lists import ROWS_OF_A_PAGE, SettingsPage

LONGEST_USERNAME = 150
CHANGES_SHOWN = 50
PERSON_ACTS = ("person.added", "person.changed", "person.factors_reset", "person.signed_out")


class PeopleList(SettingsPage):
    """Who works for the client, with which roles. What was changed is in the events of the client."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        pages = page_of(people_of(self.client), Order(), request.GET.get("cursor"), ROWS_OF_A_PAGE)
        events = Event.objects.filter(client=self.client, type__in=PERSON_ACTS).select_related("staff", "api_key")
        with_factor = people_with_factor(one.pk for one in pages.rows)
        shown = {"pages": pages, "with_factor": with_factor, "events": events.order_by("-pk")[:CHANGES_SHOWN]}
        return self.page("settings/people.html", shown)


class PersonForm(ActForm):
    """A person's name and roles."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.EmailField(label=_("E-mail address"), required=False)
    roles = forms.TypedMultipleChoiceField(
        label=_("Roles"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Only roles whose rights you have yourself."),
    )

    def __init__(self, *args: Any, caller: Caller, **kwargs: Any) -> None:
        self.offered = roles_to_give(caller)
        super().__init__(*args, **kwargs)

    def offer(self) -> None:
        super().offer()
        self.fields["roles"].choices = [(role.pk, role.name) for role in self.offered]  # type: ignore[attr-defined]

    @property
    def chosen(self) -> dict[str, Any]:
        """The values that the services take."""
        numbers = set(self.cleaned_data["roles"])
        return {**self.cleaned_data, "roles": [role for role in self.offered if role.pk in numbers]}


class NewPersonForm(PersonForm):
    username = forms.CharField(label=_("Username"), max_length=LONGEST_USERNAME, validators=[UnicodeUsernameValidator()])
    field_order = ("username",)


class ChangedPersonForm(PersonForm):
    is_active = forms.BooleanField(label=_("May sign in"), required=False)


class ReasonForm(ActForm):
    """Why something is done for a person."""

    later = ()
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Kept in the events of the client."))

    def __init__(self, *args: Any, caller: Caller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class PersonPage(ChangePage):
    needs = "accounts.view_client"
    right = CHANGE_SETTINGS

    def back(self) -> str:
        return reverse("people")

    def form(self, data: Any, **options: Any) -> Any:
        return super().form(data, caller=self.caller, **options)


class AddPerson(PersonPage):
    """A new member of staff. The first password is shown once."""

    form_class = NewPersonForm
    title = _("New person")
    button = _("Add person")
    done = _("The person is added.")

    def open(self, **numbers: int) -> None:
        self.row = None

    def do(self, form: NewPersonForm, caller: Caller) -> tuple[Any, str]:
        return create_person(self.client, caller=caller, **form.chosen)

    def try_out(self, form: NewPersonForm) -> None:
        """A preview makes no password: hashing one takes long."""
        planned_person(self.client, caller=self.caller, **form.chosen)

    def notes(self, form: Any) -> list[str]:
        said = [gettext("The first password is shown only once. The person works for this client only.")]
        if needs_another(self.client, self.caller):
            said.append(
                gettext("Four eyes apply: the person may sign in as soon as another administrator allows it, on this page.")
            )
        return said

    def after(self, row: tuple[Any, str]) -> str:
        user, password = row
        text = gettext("Give %(name)s this first password now, it cannot be shown again: %(password)s")
        self.tell(text % {"name": user.get_username(), "password": password}, good=False)
        return self.back()


class ChangePerson(PersonPage):
    form_class = ChangedPersonForm
    title = _("Change person")
    done = _("The person is changed.")

    def open(self, **numbers: int) -> None:
        self.row = people_of(self.client).filter(pk=numbers["person_no"]).first()
        if self.row is None:
            raise Http404

    def initial(self) -> dict[str, Any]:
        names = ("first_name", "last_name", "email", "is_active")
        return {**{name: getattr(self.row, name) for name in names}, "roles": [role.pk for role in self.row.groups.all()]}

    def do(self, form: ChangedPersonForm, caller: Caller) -> Any:
        kept = [role for role in self.row.groups.all() if role not in form.offered]  # Roles above one's own rights stay.
        chosen = form.chosen
        return change_person(self.client, self.row.pk, caller=caller, **{**chosen, "roles": [*chosen["roles"], *kept]})

    def notes(self, form: Any) -> list[str]:
        if form.cleaned_data["is_active"]:
            return [gettext("If the roles change, this person is signed out, and has the new roles after signing in again.")]
        return [
            gettext("%(name)s cannot sign in any more. What was done by this person stays.") % {"name": name_of_user(self.row)}
        ]


class PersonAct(ChangePerson):
    """Something that is done for a person, with a reason."""

    form_class = ReasonForm  # type: ignore[assignment]
    tone = "btn-danger"

    def initial(self) -> dict[str, Any]:
        return {}


class ResetFactors(PersonAct):
    title = _("Reset second factors")
    button = _("Reset second factors")
    done = _("The second factors are removed.")

    def do(self, form: Any, caller: Caller) -> Any:
        return reset_person(self.client, self.row.pk, reason=form.cleaned_data["reason"], caller=caller)

    def notes(self, form: Any) -> list[str]:
        text = gettext(
            "%(name)s is signed out, and the authenticator app, passkeys and recovery codes are removed. After that the "
            "password alone signs in, or lets a new second factor be set up. Be sure who asks you for this."
        )
        return [text % {"name": name_of_user(self.row)}]


class SignOutPerson(PersonAct):
    title = _("Sign out everywhere")
    button = _("Sign out everywhere")
    done = _("The sessions are ended.")

    def do(self, form: Any, caller: Caller) -> Any:
        return sign_out_person(self.client, self.row.pk, reason=form.cleaned_data["reason"], caller=caller)

    def notes(self, form: Any) -> list[str]:
        return [gettext("All sessions of %(name)s end. The person may sign in again.") % {"name": name_of_user(self.row)}]
