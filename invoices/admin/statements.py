"""What is sent and made of a document: statements with their results, and files that are made or owed."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import NamesPeople, ReadOnlyAdmin, person
from accounts.callers import Caller
from accounts.rights import SEND_STATEMENTS
from billing_site.errors import BillingError, shown_message
from invoices.kinds import StatementStatus
from invoices.models import DocumentFile, MailText, Statement
from invoices.services.statements.mails import Mails
from invoices.services.statements.statements import resend_statement


@admin.register(Statement)
class StatementAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "invoice__client"
    list_display = ["invoice", "email", "status", "message", "requested_at"]
    list_filter = ["status", "invoice__client", "requested_at"]
    list_select_related = ["invoice"]
    search_fields = ["email", "invoice__document_number", "invoice__id__exact"]
    actions = ["send_again"]
    identities = ("requested_by",)
    exclude = identities
    readonly_fields = ["requester"]
    requester = person("requested_by", _("requested by"))

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SEND_STATEMENTS.permission)

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Statement]) -> None:
        """Send the selected statements again to their previous recipients."""
        mails = Mails()
        for statement in queryset.select_related("invoice__client", "contact"):
            try:
                sent = resend_statement(
                    client=statement.invoice.client,
                    invoice_no=statement.invoice_id,
                    caller=Caller(staff=request.user),
                    contact_no=statement.contact.contact_no if statement.contact is not None else None,
                    mails=mails,
                )
            except BillingError as error:
                messages.error(request, f"{statement.invoice}: {error.shown}")
                continue
            if sent.status == StatementStatus.SENT:
                messages.success(request, gettext("%(document)s: sent to %(email)s") % _named(sent))
            else:
                messages.error(request, f"{statement.invoice}: {shown_message(sent.error_code, sent.message)}")
        mails.close()


def _named(statement: Statement) -> dict[str, str]:
    return {"document": str(statement.invoice), "email": statement.email}


@admin.register(MailText)
class MailTextAdmin(ReadOnlyAdmin):
    """The words of e-mails. They are changed on their page, where they are checked and previewed."""

    client_path = "client"
    list_display = ["client", "kind", "language", "subject"]
    list_filter = ["client", "kind", "language"]
    search_fields = ["subject"]


@admin.register(DocumentFile)
class DocumentFileAdmin(ReadOnlyAdmin):
    client_path = "invoice__client"
    list_display = ["invoice", "kind", "state", "reason", "size", "made_at"]
    list_filter = ["state", "kind", "invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact", "sha256"]
