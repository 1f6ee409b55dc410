"""The page of a customer's personal data: export, erasure with its preview, and who has seen the data."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Account
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import PERSONAL_DATA
from accounts.services.personal_access import accesses_to
from accounts.staff import names_of
from billing_site.common.keyset_pages import Order, page_of
from billing_site.errors import BillingError, ErrorCode
from invoices.api.downloads import ZIP
from invoices.models import BlankedDocument, Erasure
from invoices.services.privacy.erasing import REASON_LENGTH, erase_person, preview_erasure
from invoices.services.privacy.exporting import export_person

ACCESSES_SHOWN = 50


class ErasureForm(PageForm):
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        label=_("Reason"),
        help_text=_("Such as the number of the request. It is kept, so it must name nobody."),
    )


class PersonalDataPage(StaffPage):
    needs = PERSONAL_DATA.permission
    parameters = ("accesses",)

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        return self._shown(self._account(number), ErasureForm())

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        account = self._account(number)
        acts: dict[str, Callable[[Account], HttpResponseBase]] = {"export": self._export, "erase": self._erase}
        act = request.POST.get("act", "")
        if act not in acts:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, act[:30])
        return acts[act](account)

    def _account(self, number: int) -> Account:
        account: Account = self.found(Account.objects.select_related("client"), number)
        return account

    def _shown(self, account: Account, form: ErasureForm, *, status: int = 200) -> HttpResponseBase:
        preview = preview_erasure(client=account.client, account_no=account.pk, today=self.today)
        pages = page_of(accesses_to(account.pk), Order("pk", descending=True), self.request.GET.get("accesses"), ACCESSES_SHOWN)
        erasure = Erasure.objects.filter(account=account).first()
        identities = {row.by for row in pages.rows} | ({erasure.erased_by} if erasure else set())
        people = names_of(identities)
        context: dict[str, Any] = {
            "account": account,
            "preview": preview,
            "erasure": erasure,
            "erased_by": people.get(erasure.erased_by, erasure.erased_by) if erasure else "",
            "blanked": BlankedDocument.objects.filter(erasure=erasure).count() if erasure else 0,
            "accesses": [(row, people.get(row.by, row.by)) for row in pages.rows],
            "access_pages": pages,
            "form": form,
        }
        return self.page("accounts/personal_data.html", context, status=status)

    def _export(self, account: Account) -> HttpResponseBase:
        parts = export_person(client=account.client, account_no=account.pk, caller=self.caller)
        response = StreamingHttpResponse(parts, content_type=ZIP)
        response["Content-Disposition"] = f'attachment; filename="customer-{account.pk}.zip"'
        return response

    def _erase(self, account: Account) -> HttpResponseBase:
        form = ErasureForm(self.request.POST)
        if not form.is_valid():
            return self._shown(account, form, status=422)
        address = reverse("personal-data", args=[account.pk])

        def work(caller: Caller) -> str:
            reason = form.cleaned_data["reason"]
            erase_person(client=account.client, account_no=account.pk, reason=reason, caller=caller, today=self.today)
            messages.success(self.request, gettext("The customer is erased."))
            return address

        return self.once(work, lambda receipt: address, PERSONAL_DATA)
