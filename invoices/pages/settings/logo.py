"""The logo that is printed on the client's documents: shown as it is printed, uploaded and removed."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.client_settings import remove_logo, set_logo
from accounts.models import Client
from accounts.models.identities import validate_logo
from accounts.rights import CHANGE_SETTINGS
from invoices.pages.settings.lists import SettingsPage

REMOVE = "remove"


class LogoForm(forms.Form):
    logo = forms.FileField(
        label=_("New logo"),
        validators=[validate_logo],
        help_text=_("PNG or JPEG, at most 2 MB, and at most 4,000 pixels wide and high."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg", "class": "form-control"}),
    )


class LogoPage(SettingsPage):
    """The logo as it is printed. A new one takes its place on the documents that are printed from then on."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(LogoForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Store the uploaded logo, or remove the one that is there."""
        form = LogoForm(request.POST, request.FILES)
        removes = request.POST.get("act") == REMOVE
        if not removes and self.may_change and not form.is_valid():
            return self._shown(form, status=400)
        here = reverse("logo")

        def work(caller: Caller) -> str:
            if removes:
                remove_logo(self.client, caller=caller)
                messages.success(self.request, gettext("The logo is removed."))
            else:
                set_logo(self.client, form.cleaned_data["logo"], caller=caller)
                messages.success(self.request, gettext("The logo is saved. PDFs that are made from now on have it."))
            return here

        return self.once(work, lambda receipt: here, CHANGE_SETTINGS)

    def _shown(self, form: LogoForm, *, status: int = 200) -> HttpResponseBase:
        logo: Any = Client.objects.get(pk=self.client.pk).logo
        shown: dict[str, Any] = {"form": form, "name": PurePath(logo.name).name if logo else ""}
        return self.page("settings/logo.html", shown, status=status)


class LogoImage(SettingsPage):
    """The image alone, for the page that shows it."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        logo: Any = Client.objects.get(pk=self.client.pk).logo
        if not logo or not logo.storage.exists(logo.name):
            raise Http404
        kind = "image/png" if logo.name.lower().endswith(".png") else "image/jpeg"
        answer = FileResponse(logo.open("rb"), content_type=kind)
        answer["Cache-Control"] = "private, no-cache"
        return answer
