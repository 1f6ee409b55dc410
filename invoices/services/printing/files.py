"""The files of documents: owed when a document is issued, made after it, kept, and never made again.

No transaction is open while a file is made. A process claims a batch first, so several processes share the work. If a process
dies, its claim ends after UNDER_WAY. A file that cannot be made stays owed with its reason.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import Client
from accounts.models.identities import document_storage
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import FileKind, FileState, InvoiceStatus
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.pdf import PDF, TEMPLATE_VERSION, CannotPrint, Look, look_of, pdf_of
from invoices.services.printing.printed import StatementParts, statement_parts

logger = logging.getLogger(__name__)

UNDER_WAY = timedelta(minutes=5)
"""A process that has claimed a batch has made it by then, or has died."""

CLAIMED_AT_ONCE = 20
LONGEST_REASON = 300


class FileContent(NamedTuple):
    """A file as it is downloaded."""

    name: str
    media_type: str
    content: bytes
    sha256: str


class FilesMade(NamedTuple):
    """How many files a call has made, and how many it could not make."""

    made: int = 0
    failed: int = 0


def owe_files(invoice_nos: Iterable[int]) -> None:
    """Write down that documents get their files. Must be called in the transaction that issues them. One statement."""
    DocumentFile.objects.bulk_create([DocumentFile(invoice_id=number, kind=FileKind.PDF) for number in invoice_nos])


def make_owed_files(client: Client | None = None, *, limit: int, failed_before: datetime | None = None) -> FilesMade:
    """Make at most `limit` owed files of one client or of all, the oldest first. Several processes may do so at once.

    Files that failed are tried again if their last try was before `failed_before`, which is UNDER_WAY ago by default.
    """
    made = failed = 0
    while made + failed < limit:
        claimed = _claim(client, min(CLAIMED_AT_ONCE, limit - made - failed), failed_before)
        if not claimed:
            break
        states = [file.state for file in _make(claimed)]
        made += states.count(FileState.MADE)
        failed += states.count(FileState.FAILED)
    return FilesMade(made, failed)


def file_of_document(client: Client, invoice_no: int) -> FileContent:
    """Return the PDF of a document. One that is owed is made now; one of a pending document is a draft and is not kept.

    Refuses with INVOICE_NOT_FOUND, with NOT_ISSUED if the document is discarded, with FILE_BEING_MADE if another process makes
    the file, and with FILE_NOT_MADE if it cannot be made or read.
    """
    invoice = Invoice.objects.filter(client=client, pk=invoice_no).select_related("account", "corrects", "client").first()
    if invoice is None:
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, f"invoice {invoice_no}", field="invoice_no")
    if invoice.status == InvoiceStatus.DISCARDED:
        raise BillingError(ErrorCode.NOT_ISSUED, f"invoice {invoice_no} is discarded", field="invoice_no")
    if invoice.status == InvoiceStatus.PENDING:
        return _draft(invoice)
    file, _created = DocumentFile.objects.get_or_create(invoice=invoice, kind=FileKind.PDF)
    if file.state != FileState.MADE:
        file = _made_now(file)
    return content_of_file(file)


def content_of_file(file: DocumentFile) -> FileContent:
    """Return a file that is made. Refuses with FILE_NOT_MADE if the storage does not have it as it was made."""
    try:
        with document_storage().open(file.name, "rb") as stored:
            content = stored.read()
    except Exception as error:
        logger.exception("file %s cannot be read", file.pk)
        raise BillingError(ErrorCode.FILE_NOT_MADE, _("the storage of documents does not have it")) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise BillingError(ErrorCode.FILE_NOT_MADE, _("the stored file has changed since it was made"))
    return FileContent(_file_name(file.invoice), file.media_type, content, file.sha256)


def moved_of_file(file: DocumentFile) -> str:
    """Return what is wrong with a file that is made, in words. Empty if it is as it was made."""
    try:
        content_of_file(file)
    except BillingError as refusal:
        return refusal.detail or refusal.message
    return ""


def made_files(invoices: QuerySet[Invoice]) -> Iterator[DocumentFile]:
    """Return the files that are made of documents, by document number. Rows are read in chunks."""
    files = DocumentFile.objects.filter(invoice__in=invoices.order_by().values("pk"), state=FileState.MADE)
    return files.select_related("invoice").order_by("invoice", "kind").iterator(chunk_size=500)


def _draft(invoice: Invoice) -> FileContent:
    try:
        content = pdf_of(invoice, statement_parts([invoice])[invoice.pk], look_of(invoice.client))
    except CannotPrint as error:
        raise BillingError(ErrorCode.FILE_NOT_MADE, str(error)) from error
    return FileContent(_file_name(invoice), PDF, content, hashlib.sha256(content).hexdigest())


def _made_now(file: DocumentFile) -> DocumentFile:
    ours = DocumentFile.objects.filter(pk=file.pk, tried_at=file.tried_at).exclude(state=FileState.MADE)
    is_claimed = file.state == FileState.OWED and file.tried_at is not None and file.tried_at > timezone.now() - UNDER_WAY
    if is_claimed or not ours.update(state=FileState.OWED, tried_at=timezone.now(), tries=F("tries") + 1):
        raise BillingError(ErrorCode.FILE_BEING_MADE)
    (made,) = _make([file.pk])
    if made.state != FileState.MADE:
        raise BillingError(ErrorCode.FILE_NOT_MADE, made.reason)
    return made


def _claim(client: Client | None, most: int, failed_before: datetime | None) -> list[int]:
    """Return the numbers of files that no other process makes, marked as being made. One short transaction."""
    now = timezone.now()
    is_due = (
        Q(state=FileState.OWED, tried_at=None)
        | Q(state=FileState.OWED, tried_at__lt=now - UNDER_WAY)
        | Q(state=FileState.FAILED, tried_at__lt=failed_before or now - UNDER_WAY)
    )
    with transaction.atomic():
        due = DocumentFile.objects.select_for_update(skip_locked=True).exclude(state=FileState.MADE).filter(is_due)
        if client is not None:
            due = due.filter(invoice__client=client)
        numbers = list(due.order_by("pk").values_list("pk", flat=True)[:most])
        DocumentFile.objects.filter(pk__in=numbers).update(state=FileState.OWED, tried_at=now, tries=F("tries") + 1)
    return numbers


def _make(claimed: Collection[int]) -> list[DocumentFile]:
    """Make claimed files, and return them with their new states. Never raises what one file's making raises."""
    read = DocumentFile.objects.filter(pk__in=claimed).order_by("pk")
    files = list(read.select_related("invoice__account", "invoice__corrects", "invoice__client"))
    parts = _parts(files)
    looks: dict[int, Look] = {}
    for file in files:
        try:
            _make_one(file, parts, looks)
        except CannotPrint as error:
            _failed(file, str(error))
        except OSError as error:
            logger.exception("the PDF of invoice %s could not be stored", file.invoice_id)
            _failed(file, _("The storage of documents failed: %(why)s") % {"why": error.strerror or type(error).__name__})
        except Exception as error:
            # Only the type of the error is kept: its text may hold secrets.
            logger.exception("the PDF of invoice %s could not be made", file.invoice_id)
            _failed(file, _("The file could not be made: %(why)s") % {"why": type(error).__name__})
    return files


def _parts(files: Sequence[DocumentFile]) -> dict[int, StatementParts]:
    """Return what is printed of documents. Empty if they cannot be read together: then each is read by itself."""
    try:
        return statement_parts([file.invoice for file in files])
    except Exception:
        logger.exception("documents could not be read together")
        return {}


def _make_one(file: DocumentFile, parts: dict[int, StatementParts], looks: dict[int, Look]) -> None:
    invoice = file.invoice
    if invoice.client_id not in looks:
        looks[invoice.client_id] = look_of(invoice.client)
    mine = parts.get(invoice.pk) or statement_parts([invoice])[invoice.pk]
    content = pdf_of(invoice, mine, looks[invoice.client_id])
    storage = document_storage()
    name = storage.save(_storage_name(invoice), ContentFile(content))
    file.state, file.reason = FileState.MADE, ""
    file.media_type, file.template_version = PDF, TEMPLATE_VERSION
    file.sha256, file.size, file.name = hashlib.sha256(content).hexdigest(), len(content), name
    file.made_at = timezone.now()
    columns = ("state", "reason", "media_type", "template_version", "sha256", "size", "name", "made_at")
    unmade = DocumentFile.objects.filter(pk=file.pk).exclude(state=FileState.MADE)
    if not unmade.update(**{column: getattr(file, column) for column in columns}):
        # Another process was quicker: its file is the one.
        storage.delete(name)
        file.refresh_from_db(fields=columns)


def _failed(file: DocumentFile, reason: str) -> None:
    file.state, file.reason = FileState.FAILED, reason[:LONGEST_REASON]
    unmade = DocumentFile.objects.filter(pk=file.pk).exclude(state=FileState.MADE)
    unmade.update(state=file.state, reason=file.reason)


def _file_name(invoice: Invoice) -> str:
    """Return the name that a customer sees: INV-000001.pdf."""
    number = "".join(one if one.isalnum() or one in "-_." else "-" for one in invoice.document_number)
    return f"{number or f'draft-{invoice.pk}'}.pdf"


def _storage_name(invoice: Invoice) -> str:
    day = invoice.invoice_date
    assert day is not None
    return f"client-{invoice.client_id}/{day:%Y/%m}/{slugify(invoice.document_number) or 'document'}-{invoice.pk}.pdf"
