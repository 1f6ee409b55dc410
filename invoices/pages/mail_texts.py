"""The words of the e-mails that send documents: written, previewed with a document, sent as a test, and saved."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm, show_refusal
from accounts.rights import CHANGE_SETTINGS, may
from billing_site.common.languages import Language
from billing_site.errors import BillingError
from invoices.kinds import MailKind
from invoices.models import MailText
from invoices.services.statements.mail_texts import PLACEHOLDERS, Words, set_mail_text
from invoices.services.statements.written import preview_mail, send_test_mail

PREVIEW, TEST = "preview", "test"


class ChosenForm(PageForm):
    """The kind of document and the language whose words are shown."""

    kind = forms.ChoiceField(choices=MailKind.choices, label=_("Document"))
    language = forms.ChoiceField(choices=Language.choices, label=_("Language"))


class WordsForm(ChosenForm):
    kind = forms.ChoiceField(choices=MailKind.choices, widget=forms.HiddenInput)
    language = forms.ChoiceField(choices=Language.choices, widget=forms.HiddenInput)
    subject = forms.CharField(max_length=200, required=False, label=_("Subject"), help_text=_("Empty: the usual subject."))
    opening = forms.CharField(
        max_length=2000,
        required=False,
        label=_("Words above the document"),
        help_text=_("An empty line begins a new paragraph."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    to = forms.EmailField(required=False, label=_("Send a test to"))

    @property
    def words(self) -> Words:
        return Words(self.cleaned_data["subject"], self.cleaned_data["opening"].replace("\r\n", "\n"))

    @property
    def chosen(self) -> dict[str, Any]:
        return {"kind": MailKind(self.cleaned_data["kind"]), "language": Language(self.cleaned_data["language"])}


class MailTextsPage(StaffPage):
    parameters = ("kind", "language")

    def get(self, request: HttpRequest) -> HttpResponseBase:
        chosen = self._chosen(request.GET)
        row = MailText.objects.filter(client=self.client, **chosen).first()
        words = {"subject": row.subject, "opening": row.opening} if row else {}
        return self._shown(WordsForm(initial={**chosen, **words, "to": getattr(request.user, "email", "")}))

    def _chosen(self, sent: Mapping[str, Any]) -> dict[str, str]:
        form = ChosenForm(sent)
        if form.is_valid():
            return dict(form.cleaned_data)
        return {"kind": MailKind.INVOICE.value, "language": self.client.language}

    def _shown(self, form: WordsForm, mail: Any = None, status: int = 200) -> HttpResponseBase:
        chosen = {name: form[name].value() for name in ("kind", "language")}
        shown = {
            "form": form,
            "choose": ChosenForm(initial=chosen, auto_id="choose_%s"),
            "placeholders": PLACEHOLDERS.items(),
            "mail": mail,
            "may_change": may(self.caller, CHANGE_SETTINGS),
            "own_texts": MailText.objects.filter(client=self.client),
        }
        return self.page("invoices/mail_texts.html", shown, status=status)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = WordsForm(request.POST)
        if not form.is_valid():
            return self._shown(form, status=422)
        do = request.POST.get("do", "")
        if do != PREVIEW and not may(self.caller, CHANGE_SETTINGS):
            raise PermissionDenied
        try:
            return self._done(form, do)
        except BillingError as refusal:
            show_refusal(form, refusal)
            return self._shown(form, status=422)

    def _done(self, form: WordsForm, do: str) -> HttpResponseBase:
        if do == PREVIEW:
            return self._shown(form, preview_mail(self.client, words=form.words, **form.chosen))
        if do == TEST:
            to = form.cleaned_data["to"]
            mail = send_test_mail(client=self.client, words=form.words, to=to, caller=self.caller, **form.chosen)
            messages.success(self.request, _("A test was sent to %(email)s.") % {"email": to})
            return self._shown(form, mail)

        def work(caller: Caller) -> str:
            set_mail_text(client=self.client, words=form.words, caller=caller, **form.chosen)
            messages.success(self.request, _("The texts are saved. The next e-mails have them."))
            return self._address(form)

        return self.once(work, lambda receipt: self._address(form), CHANGE_SETTINGS)

    def _address(self, form: WordsForm) -> str:
        return f"{reverse('mail-texts')}?{urlencode(form.chosen)}"
