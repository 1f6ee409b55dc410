"""What a person does about PDFs that are missing."""

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.rights import MAKE_FILES
from invoices.services.printing.files import try_files_again
from invoices.services.work.workers import missing_command


class TryFilesAgain(StaffPage):
    """Lets workers make the client's missing PDFs without a pause, and returns to the list of their documents."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        address = reverse("invoices", query={"file_missing": "true"})

        def work(caller: Caller) -> str:
            count = try_files_again(client=self.client, caller=caller)
            words = ngettext("A worker makes %(count)s PDF now.", "A worker makes %(count)s PDFs now.", count)
            messages.success(self.request, words % {"count": count})
            if command := missing_command():
                words = gettext("No worker is running. Start one on the server: %(command)s.")
                messages.warning(self.request, words % {"command": command})
            return address

        return self.once(work, lambda receipt: address, MAKE_FILES)
