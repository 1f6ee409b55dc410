"""Acts on money in the admin. Adding a row performs the act by its service. Rows are never changed or deleted, only voided."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from accounts.admin.rows import (
    MasterDataAdmin,
    MasterDataForm,
    never,
    own_rows,
)
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Client
from billing_site.common.limits import COMMENTS_LENGTH
from billing_site.errors import PendingAct
from invoices.admin.ledger import EntryColumns, LedgerEntryAdmin, flat
from invoices.kinds import (
    EntryKind,
    ReasonType,
)
from invoices.models import (
    ReasonCode,
)
from invoices.services.documents.rights import CORRECT_PERMISSION
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.history import with_voids

# No reason is preselected, so that the user makes a choice.
TO_BE_CHOSEN = ("", "---------")


def amount_field(*, required: bool = True, help_text: Any = "") -> forms.DecimalField:
    widget = UnfoldAdminDecimalFieldWidget
    return forms.DecimalField(max_digits=15, decimal_places=4, required=required, widget=widget, help_text=help_text)


def all_field(help_text: Any) -> forms.BooleanField:
    """Return the check box for the whole amount. An empty amount does not mean all."""
    return forms.BooleanField(required=False, label=_("The whole amount"), widget=UnfoldBooleanWidget, help_text=help_text)


def comments_field(*, required: bool = False, max_length: int = COMMENTS_LENGTH) -> forms.CharField:
    return forms.CharField(max_length=max_length, required=required, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


class ReasonField(forms.TypedChoiceField):
    """The reasons of a type: common ones and those of clients. The service checks that the reason is the client's."""

    def __init__(self, type: ReasonType) -> None:
        super().__init__(coerce=int, widget=UnfoldAdminSelectWidget)
        self.type = type

    def offer_to(self, user: Any) -> None:
        rows = ReasonCode.objects.filter(type=self.type, is_active=True).order_by("code", "client")
        self.choices = [TO_BE_CHOSEN, *{row.code: (row.code, str(row)) for row in own_rows(rows, user)}.values()]


class ActForm(MasterDataForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(reason := self.fields.get("reason"), ReasonField):
            reason.offer_to(self.user)


def why(fields: dict[str, Any]) -> Why:
    return Why(fields["reason"], fields.get("comments", ""))


def by(request: HttpRequest, client: Client) -> dict[str, Any]:
    return {"client": client, "caller": Caller(staff=request.user), "today": today(client)}


class ActAdmin(MasterDataAdmin):
    """Adding a row performs the act, for users with the right. Existing rows are read-only."""

    has_change_permission = never
    has_delete_permission = never
    right = CORRECT_PERMISSION
    add_form: type[forms.ModelForm]
    shown: tuple[Any, ...] = ()
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.right)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Commit the page's transaction for an act that needs a second person: its request is stored, nothing was refused."""
        try:
            self.act(request, obj, form)
        except PendingAct as pending:
            request.pending_act = pending  # type: ignore[attr-defined]

    def act(self, request: HttpRequest, obj: Any, form: Any) -> None:
        """Perform the act, and set the row's primary key."""
        raise NotImplementedError

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if hasattr(request, "pending_act") else super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        pending: PendingAct | None = getattr(request, "pending_act", None)
        if pending is None:
            return super().response_add(request, obj, post_url_continue)
        messages.info(request, pending.shown)
        return redirect("admin:invoices_requestedact_changelist")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown if obj is not None else list(self.add_form.base_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return flat(self.shown) if obj is not None else ()


class EntryAdmin(EntryColumns, ActAdmin):  # type: ignore[misc]
    """Entries of one kind."""

    client_path = "account__client"
    kind: EntryKind
    list_display = ["named", "account", "date", "invoice_link", "amount_in_currency"]
    list_filter = ["entry_date", "account__client"]
    search_fields = ["id__exact", "account__client_acct_id", "account__id__exact"]
    shown = LedgerEntryAdmin.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_voids(super().get_queryset(request)).filter(kind=self.kind)
