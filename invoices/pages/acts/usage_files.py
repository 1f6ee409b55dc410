"""Load usage from a CSV file: what each row would do is seen first, then the good rows are loaded."""

from collections import Counter
from io import BytesIO
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.validators import ProhibitNullCharactersValidator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.callers import Caller
from accounts.importing.reading import UnreadableFile
from accounts.models import Client
from accounts.pages.base import StaffPage
from accounts.pages.forms import PageForm
from accounts.rights import ROW_RIGHTS, check_may
from billing_site.errors import BillingError
from invoices.api.serializers.usage_files import UsageLine, read_usage_file
from invoices.services.money.ledger.acts import seen_as
from invoices.services.usage.loading import RECORDS_AT_ONCE, LoadResult, UsageResult, load_usage

LARGEST_FILE = 2_000_000
ADD = ROW_RIGHTS["add", "invoices.usage"]


class UsageFileForm(PageForm):
    """A file, or its text: a browser sends a file only once, so the text goes with the preview."""

    file = forms.FileField(
        label=_("CSV file"),
        required=False,
        help_text=_(
            "The first line names the columns: record_id, units, used_at, acct_no or client_acct_id, service or "
            "client_service_id, and if wanted plan_instance and description. used_at is written 2026-01-31T10:00:00."
        ),
    )
    text = forms.CharField(
        label=_("Or paste its text"), required=False, max_length=LARGEST_FILE, strip=False, widget=forms.Textarea({"rows": 8})
    )
    decimal_comma = forms.BooleanField(label=_("Units have a decimal comma: 1,5"), required=False)

    def clean_file(self) -> str:
        """Return the text of the file, "" without one."""
        sent = self.cleaned_data["file"]
        return _text_of(sent) if sent else ""

    def clean(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return fields
        fields["text"] = fields["file"] or fields["text"]
        if not fields["text"].strip():
            self.add_error("file", _("Choose a file, or paste its text."))
        return fields


def _text_of(sent: Any) -> str:
    """Return the text of a file that was sent. Refuses one that is too large or no text."""
    if sent.size > LARGEST_FILE:
        raise forms.ValidationError(_("The file is too large. Split it, or load it with the command load_usage."))
    try:
        found = str(sent.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise forms.ValidationError(_("This is not a CSV file in UTF-8.")) from None
    ProhibitNullCharactersValidator()(found)
    return found


class WrongLine(NamedTuple):
    """A row that is not loaded, and why, in the reader's language."""

    line: int
    record_id: str
    why: str


class UsageLoad(NamedTuple):
    """What loading a file does: how many rows are loaded, are loaded already, and are refused. `seen` binds the act to it."""

    created: int
    already_there: int
    wrong: list[WrongLine]
    seen: str


class LoadUsageFile(StaffPage):
    needs = "accounts.view_account"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if request.user.is_authenticated:
                check_may(Caller(staff=request.user), ADD)
        except BillingError as refusal:
            raise PermissionDenied(refusal.shown) from None
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(UsageFileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UsageFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            lines = read_lines(self.client, form)
        except UnreadableFile as wrong:
            form.add_error("file", str(wrong))
            return self._page(form, status=422)
        if len(lines) > RECORDS_AT_ONCE:
            form.add_error("file", _("The file has more than 10,000 rows. Split it, or load it with the command load_usage."))
            return self._page(form, status=422)
        expected = self._load(lines, self.caller, dry_run=True)
        if request.POST.get("act") != "load" or request.POST.get("seen") != expected.seen:
            return self._page(form, expected, moved=request.POST.get("act") == "load")
        return self.once(lambda caller: self._loaded(lines, caller), lambda receipt: reverse("load-usage"), ADD)

    def _load(self, lines: list[UsageLine], caller: Caller, *, dry_run: bool) -> UsageLoad:
        """Load the rows, or find out what loading them would do. A record_id is loaded once, so no row is loaded twice."""
        now = clock.local_time(self.client)
        records = [line.record for line in lines]
        results = load_usage(client=self.client, records=records, now=now, caller=caller, dry_run=dry_run)
        counts = Counter(result.result for result in results)
        wrong = [_wrong(line, one) for line, one in zip(lines, results, strict=True) if one.result is LoadResult.REFUSED]
        created, there = counts[LoadResult.CREATED], counts[LoadResult.ALREADY_THERE]
        seen = seen_as(str([line.record for line in lines]), created, there, [tuple(one) for one in wrong])
        return UsageLoad(created, there, wrong, seen)

    def _loaded(self, lines: list[UsageLine], caller: Caller) -> str:
        done = self._load(lines, caller, dry_run=False)
        text = ngettext("%(number)s record is loaded.", "%(number)s records are loaded.", done.created)
        messages.success(self.request, text % {"number": done.created})
        if done.wrong:
            text = ngettext("%(number)s row was refused.", "%(number)s rows were refused.", len(done.wrong))
            messages.warning(self.request, text % {"number": len(done.wrong)})
        return reverse("load-usage")

    def _page(
        self, form: UsageFileForm, expected: UsageLoad | None = None, *, moved: bool = False, status: int = 200
    ) -> HttpResponse:
        shown = form
        if expected is not None:
            # The text stays in the form, to be mended and sent again without the file.
            kept = {"text": form.cleaned_data["text"], "decimal_comma": form.cleaned_data["decimal_comma"]}
            shown = UsageFileForm(initial=kept)
        return self.page("acts/usage_file.html", {"form": shown, "expected": expected, "moved": moved}, status=status)


def read_lines(client: Client, form: UsageFileForm) -> list[UsageLine]:
    """Return the rows of the file, at most one more than can be loaded at once. Raises UnreadableFile."""
    text = BytesIO(form.cleaned_data["text"].encode())
    lines = []
    for line in read_usage_file(client, text, decimal_comma=form.cleaned_data["decimal_comma"]):
        lines.append(line)
        if len(lines) > RECORDS_AT_ONCE:
            break
    return lines


def _wrong(line: UsageLine, result: UsageResult) -> WrongLine:
    assert result.error is not None
    named = (result.error.field or "").split(", ")
    others = [f"{field}: {' '.join(texts)}" for field, texts in result.messages.items() if field not in named]
    why = " ".join([str(result.error.shown), *others]) or gettext("The row is refused.")
    return WrongLine(line.number, result.record_id or "", why)
