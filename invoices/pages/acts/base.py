"""Base of the pages for acts: a form, its preview by the act's own service, and the act, bound to what was previewed."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from babel.dates import format_date
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Client, Receipt
from accounts.pages.base import StaffPage
from accounts.pages.forms import NumberField, show_refusal, style_fields
from accounts.pages.languages import locale_of
from accounts.rights import Right, check_may
from billing_site.common.currencies import currency_of, rounded_to, shown_money
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.common.numbers import typed_number
from billing_site.errors import BillingError, ErrorCode, PendingAct
from invoices.kinds import ReasonType
from invoices.services.documents.reasons import reasons_of
from invoices.services.money.ledger.acts import Why

FOR_A_PREVIEW = "preview"
"""The value of the button that shows what will happen."""


class Preview(Protocol):
    """What an act would do. `seen` binds the act to it."""

    @property
    def seen(self) -> str: ...


class ActForm(forms.Form):
    """The form of an act, rendered by `_field.html`. A preview can be shown before the fields in `later` are filled in."""

    later: ClassVar[tuple[str, ...]] = ("reason", "comments")
    fields_of_errors: ClassVar[Mapping[str, str]] = {"reason_code": "reason"}
    """The form's fields by the names that services give them, where these differ."""

    def __init__(self, data: Any = None, *, client: Client, previews: bool = False, **kwargs: Any) -> None:
        self.client = client
        super().__init__(data, **kwargs)
        self.offer()
        self.is_complete = True
        if previews:
            self._forget_what_is_missing()
        style_fields(self)

    def _forget_what_is_missing(self) -> None:
        """A preview does not complain about fields that are not filled in yet."""
        for name in list(self.errors):
            is_missing = all(error.code == "required" for error in self.errors.as_data()[name])
            if name in self.later or is_missing:
                del self.errors[name]
                self.is_complete = self.is_complete and name in self.later

    @property
    def can_be_previewed(self) -> bool:
        return self.is_valid() and self.is_complete

    def offer(self) -> None:
        """Set the choices of fields that depend on what the form is about."""
        for field in self.fields.values():
            if isinstance(field, ReasonField):
                field.offer_to(self.client)

    @property
    def why(self) -> Why:
        return Why(self.cleaned_data["reason"], self.cleaned_data["comments"])

    def refuse(self, refusal: BillingError) -> bool:
        """Show a service's refusal at its field. Returns whether the form has the field."""
        name = refusal.field or ""
        name = self.fields_of_errors.get(name, name)
        if name not in self.fields:
            return False
        return show_refusal(self, refusal, name)

    def wrong(self, error: ValidationError) -> None:
        """Show what a model refuses, each message at its field if the form has it."""
        by_field = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
        for name, messages_ in by_field.items():
            self.add_error(name if name in self.fields else None, messages_)
        style_fields(self)


class ReasonField(forms.TypedChoiceField):
    """The active reasons of a type that the client may use. None is preselected, because the reason is kept."""

    def __init__(self, type: ReasonType) -> None:
        super().__init__(coerce=int, label=_("Reason"))
        self.type = type

    def offer_to(self, client: Client) -> None:
        own = [(reason.code, reason.shown_name) for reason in reasons_of(client, self.type) if reason.is_active]
        self.choices = [("", _("Choose a reason")), *own]


def amount_field(**options: Any) -> NumberField:
    """Return a field for an amount, written as the reader's language writes it."""
    return NumberField(**{"label": _("Amount"), "max_digits": 15, "decimal_places": 4, **options})


def comments_field(*, required: bool = False, max_length: int = COMMENTS_LENGTH) -> forms.CharField:
    return forms.CharField(label=_("Comments"), required=required, max_length=max_length, widget=forms.Textarea({"rows": 2}))


def typed(amount: Decimal, currency: str) -> str:
    """Return an amount as it is typed into a field."""
    return typed_number(rounded_to(amount, currency_of(currency).exponent))


class ActPage(StaffPage):
    """One act. Its form is previewed by the service that does the act, and the act is refused if it would do anything else.

    Reading a field in the browser previews at once; without scripts a button does, and so does confirming what was not
    previewed.
    """

    needs = "accounts.view_account"
    right: ClassVar[Right]
    form_class: ClassVar[type[ActForm]]
    template: ClassVar[str]
    title: ClassVar[Any]
    button: ClassVar[Any]
    tone = "btn-primary"

    def get(self, request: HttpRequest, **numbers: int) -> HttpResponseBase:
        self.open(**numbers)
        self._check_right()
        initial = self.initial()
        form = self.form(initial, previews=True)
        preview = self._previewed(form) if form.can_be_previewed else None
        return self._shown(self.form(None, initial=initial), preview)

    def post(self, request: HttpRequest, **numbers: int) -> HttpResponseBase:
        self.open(**numbers)
        self._check_right()
        previews = request.POST.get("act") == FOR_A_PREVIEW
        form = self.form(request.POST, previews=previews)
        if previews or not form.is_valid():
            preview = self._previewed(form) if form.can_be_previewed else None
            return self._shown(form, preview, status=200 if previews else 422)
        try:
            return self.once(lambda caller: self._done(form, caller), self._answer_of, self.right)
        except ValidationError as wrong:
            form.wrong(wrong)
            return self._shown(form, None, status=422)
        except BillingError as refusal:
            if refusal.code is not ErrorCode.DOCUMENT_MOVED:
                return self._shown(form, None if self._at_field(form, refusal) else refusal, status=422)
            return self._shown(form, self._previewed(form), moved=True, status=409 if request.POST.get("seen") else 200)

    def open(self, **numbers: int) -> None:
        """Read what the act is about. Other clients' rows are 404."""
        raise NotImplementedError

    def initial(self) -> dict[str, Any]:
        """Return what the fields have at first, as text."""
        return {}

    def form(self, data: Any, **options: Any) -> Any:
        return self.form_class(data, client=self.client, **options)

    def preview(self, form: Any) -> Preview | None:
        """Return what the act would do; None if the form does not say enough yet."""
        raise NotImplementedError

    def act(self, form: Any, caller: Caller, preview: Any) -> str:
        """Do the act, tell the reader, and return the address to go to."""
        raise NotImplementedError

    def back(self) -> str:
        """The address of the page that the act belongs to."""
        raise NotImplementedError

    def context(self, preview: Any) -> Mapping[str, Any]:
        return {}

    def money(self, amount: Decimal, currency: str) -> str:
        return shown_money(amount, currency, locale_of(self.request))

    def day(self, value: date) -> str:
        return format_date(value, "medium", locale=locale_of(self.request))

    def tell(self, text: str, *, good: bool = True) -> None:
        (messages.success if good else messages.warning)(self.request, text)

    def _check_right(self) -> None:
        try:
            check_may(self.caller, self.right)
        except BillingError as refusal:
            raise PermissionDenied(refusal.shown) from None

    def _previewed(self, form: Any) -> Any:
        """Return the preview, or the refusal if it belongs to no field."""
        try:
            return self.preview(form)
        except ValidationError as wrong:
            form.wrong(wrong)
            return None
        except BillingError as refusal:
            return None if self._at_field(form, refusal) else refusal

    def _at_field(self, form: Any, refusal: BillingError) -> bool:
        return bool(form.refuse(refusal))

    def _done(self, form: Any, caller: Caller) -> str:
        """Do what was seen. Refuses (90003) what was not; the services check this again under the account's lock."""
        preview = self.preview(form)
        if preview is None or self.request.POST.get("seen") != preview.seen:
            raise BillingError(ErrorCode.DOCUMENT_MOVED)
        try:
            return self.act(form, caller, preview)
        except PendingAct as pending:
            messages.info(self.request, pending.shown)
            return self.back()

    def _answer_of(self, receipt: Receipt) -> str:
        return self.back()

    def _shown(self, form: Any, preview: Any, *, moved: bool = False, status: int = 200) -> HttpResponse:
        refusal = preview if isinstance(preview, BillingError) else None
        _focus(form)
        context = {
            "form": form,
            "refusal": refusal,
            "expected": None if refusal else preview,
            "moved": moved,
            "is_tried": status != 200,
            "back": self.back(),
            **self.context(None if refusal else preview),
        }
        return self.page(self.template, context, status=status)


def _focus(form: Any) -> None:
    """Put the focus on the first wrong field, or at first on the first field."""
    names = [name for name in form.fields if name in form.errors] if form.is_bound else list(form.fields)
    if names:
        form.fields[names[0]].widget.attrs["autofocus"] = True
