"""The files of documents: owed when a document is issued, made after it, kept, and never made again.

No transaction is open while a file is made. A process claims each file first, so several processes share the work. If a process
dies, its claim ends after UNDER_WAY. A file that cannot be made stays owed with its reason, and is tried again after PAUSES.
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify

from accounts.callers import Caller
from accounts.kinds import EInvoiceFormat, EInvoiceProfile
from accounts.models import Client
from accounts.models.identities import document_storage
from accounts.rights import MAKE_FILES, check_may
from accounts.trail import Act, record_acts
from billing_site.common.storage import insert_objects
from billing_site.errors import BillingError, Detail, ErrorCode, stored_detail, word
from invoices.kinds import FileKind, FileState, InvoiceStatus
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.e_invoices import (
    MAPPING_VERSION,
    SHOWN_STYLE,
    XML,
    EInvoiceStyle,
    e_invoice_xml,
    with_e_invoice,
)
from invoices.services.printing.pdf import PDF, TEMPLATE_VERSION, CannotPrint, Look, NoPango, look_of, pdf_of, pdf_of_appendix
from invoices.services.printing.printed import StatementParts, parts_at_issue, statement_parts

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNDER_WAY = timedelta(minutes=5)
"""A process that has claimed a file has made it by then, or has died."""

PAUSES = (UNDER_WAY, timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
"""How long a file that could not be made is left alone after its first try, its second, and so on."""

LONGEST_REASON = 300

SUFFIXES = {PDF: ".pdf", XML: ".xml"}


class FileContent(NamedTuple):
    """A file as it is downloaded."""

    name: str
    media_type: str
    content: bytes
    sha256: str


class FilesMade(NamedTuple):
    """How many files a call has made, and how many it could not make.

    `given_up` says why every further file would fail too. It is empty if none is known to."""

    made: int = 0
    failed: int = 0
    given_up: str = ""


class _StorageFailed(CannotPrint):
    """The storage of documents did not take a file."""


def owe_files(invoice_nos: Iterable[int], e_invoices: Mapping[int, EInvoiceStyle]) -> None:
    """Write down that documents get their PDFs, and those in `e_invoices` their electronic invoices in these styles.

    Must be called in the transaction that issues them. One statement.
    """
    owed = [DocumentFile(invoice_id=number, kind=FileKind.E_INVOICE, **style._asdict()) for number, style in e_invoices.items()]
    insert_objects([*owed, *(DocumentFile(invoice_id=number, kind=FileKind.PDF) for number in invoice_nos)])


def make_owed_files(
    client: Client | None = None, *, limit: int, failed_before: datetime | None = None, seconds: float = math.inf
) -> FilesMade:
    """Make at most `limit` owed files of one client or of all, the oldest first. Several processes may do so at once.

    Begins no further file after `seconds`, nor when every other file would fail too. Files that were tried come last, and only
    after their pause. With `failed_before`, those that failed before it are tried whatever their pause.
    """
    made = FilesMade()
    looks: dict[int, Look] = {}
    ends = time.monotonic() + seconds
    while made.made + made.failed < limit and not made.given_up and time.monotonic() < ends:
        number = _claim(client, failed_before)
        if number is None:
            break
        one = _make(_read(number), looks)
        made = FilesMade(made.made + one.made, made.failed + one.failed, one.given_up)
    return made


def file_of_document(client: Client, invoice_no: int) -> FileContent:
    """Return the PDF of a document. One that is owed is made now; one of a pending document is a draft and is not kept.

    Refuses with INVOICE_NOT_FOUND, with NOT_ISSUED if the document is discarded, with FILE_BEING_MADE if another process makes
    the file, and with FILE_NOT_MADE if it cannot be made or read.
    """
    invoice = _document(client, invoice_no)
    if invoice.status == InvoiceStatus.PENDING:
        return _draft(invoice)
    file, _created = DocumentFile.objects.get_or_create(invoice=invoice, kind=FileKind.PDF)
    if file.state != FileState.MADE:
        file = _made_now(file)
    return content_of_file(file)


def e_invoice_of_document(client: Client, invoice_no: int) -> FileContent:
    """Return the electronic invoice of a document as XML. One that is owed is made now.

    A document that was issued without one is shown as UBL, made now and not kept. Refuses like `file_of_document`, with
    NOT_ISSUED also if the document is pending, and with E_INVOICE_NOT_VALID if the document cannot be shown so.
    """
    invoice = _document(client, invoice_no)
    if invoice.status == InvoiceStatus.PENDING:
        raise BillingError(
            ErrorCode.NOT_ISSUED, Detail("invoice {invoice_no} is pending", invoice_no=invoice_no), field="invoice_no"
        )
    file = invoice.files.filter(kind=FileKind.E_INVOICE).first()
    if file is None:
        return _content(_file_name(invoice, ".xml"), e_invoice_xml(invoice, SHOWN_STYLE, is_official=False), XML)
    if file.state != FileState.MADE:
        file = _made_now(file)
    return content_of_file(file)


def appendix_of_document(client: Client, invoice_no: int) -> FileContent:
    """Return the appendix of a document alone: for a rebill, the explanation of changes. It is not kept.

    Refuses with INVOICE_NOT_FOUND, also if the document has no appendix, with NOT_ISSUED if it is discarded, and with
    FILE_NOT_MADE if it cannot be made.
    """
    invoice = _document(client, invoice_no)
    content = _printed_now(pdf_of_appendix, invoice)
    if content is None:
        raise _not_found(invoice_no)
    return _content(_file_name(invoice, "-changes.pdf"), content)


def _document(client: Client, invoice_no: int) -> Invoice:
    invoice = Invoice.objects.filter(client=client, pk=invoice_no).select_related("account", "corrects", "client").first()
    if invoice is None:
        raise _not_found(invoice_no)
    if invoice.status == InvoiceStatus.DISCARDED:
        raise BillingError(
            ErrorCode.NOT_ISSUED, Detail("invoice {invoice_no} is discarded", invoice_no=invoice_no), field="invoice_no"
        )
    return invoice


def _not_found(invoice_no: int) -> BillingError:
    return BillingError(ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoice_no")


@transaction.atomic
def try_files_again(*, client: Client, caller: Caller) -> int:
    """Let workers make all files of a client that failed or are owed, without a pause. Returns how many those are.

    Files that a process makes now are left out. Refuses (90009) who may not make files.
    """
    check_may(caller, MAKE_FILES)
    under_way = Q(state=FileState.OWED, tried_at__gte=timezone.now() - UNDER_WAY)
    unmade = DocumentFile.objects.filter(invoice__client=client).exclude(state=FileState.MADE).exclude(under_way)
    count = unmade.update(state=FileState.OWED, tried_at=None, tries=0)
    record_acts(client, caller, [Act("files.tried_again", after={"files": count}, idle=not count)])
    return count


def content_of_file(file: DocumentFile) -> FileContent:
    """Return a file that is made. Refuses with FILE_NOT_MADE if the storage does not have it as it was made."""
    try:
        with document_storage().open(file.name, "rb") as stored:
            content = stored.read()
    except Exception as error:
        logger.exception("file %s cannot be read", file.pk)
        raise BillingError(ErrorCode.FILE_NOT_MADE, Detail("the storage of documents does not have it")) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise BillingError(ErrorCode.FILE_NOT_MADE, Detail("the stored file has changed since it was made"))
    return FileContent(_file_name(file.invoice, SUFFIXES[file.media_type]), file.media_type, content, file.sha256)


def file_problem(file: DocumentFile) -> str:
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
    return _content(_file_name(invoice), _printed_now(pdf_of, invoice))


def _printed_now(print: Callable[[Invoice, StatementParts, Look], T], invoice: Invoice) -> T:
    try:
        return print(invoice, statement_parts([invoice])[invoice.pk], look_of(invoice.client))
    except CannotPrint as error:
        raise BillingError(ErrorCode.FILE_NOT_MADE, error.reason) from error


def _content(name: str, content: bytes, media_type: str = PDF) -> FileContent:
    return FileContent(name, media_type, content, hashlib.sha256(content).hexdigest())


def _made_now(file: DocumentFile) -> DocumentFile:
    ours = DocumentFile.objects.filter(pk=file.pk, tried_at=file.tried_at).exclude(state=FileState.MADE)
    is_claimed = file.state == FileState.OWED and file.tried_at is not None and file.tried_at > timezone.now() - UNDER_WAY
    if is_claimed or not ours.update(state=FileState.OWED, tried_at=timezone.now(), tries=F("tries") + 1):
        raise BillingError(ErrorCode.FILE_BEING_MADE)
    made = _read(file.pk)
    _make(made, {})
    if made.state != FileState.MADE:
        raise BillingError(ErrorCode.FILE_NOT_MADE, made.why_missing)
    return made


def _claim(client: Client | None, failed_before: datetime | None) -> int | None:
    """Return the number of a file that no other process makes, marked as being made. One short transaction."""
    now = timezone.now()
    with transaction.atomic():
        unmade = DocumentFile.objects.select_for_update(of=("self",), no_key=True, skip_locked=True).exclude(
            state=FileState.MADE
        )
        if client is not None:
            unmade = unmade.filter(invoice__client=client)
        again = unmade.filter(_is_due_again(now, failed_before)).order_by("tried_at", "pk")
        file = unmade.filter(tried_at=None).order_by("pk").first() or again.first()
        if file is None:
            return None
        DocumentFile.objects.filter(pk=file.pk).update(state=FileState.OWED, tried_at=now, tries=F("tries") + 1)
    return file.pk


def _is_due_again(now: datetime, failed_before: datetime | None) -> Q:
    """Select files whose pause is over. A file that killed its process is not tried at once again either."""
    due = Q(tried_at__lt=now - PAUSES[-1])
    for tries, pause in enumerate(PAUSES, 1):
        due |= Q(tries__lte=tries, tried_at__lt=now - pause)
    if failed_before is not None:
        due |= Q(state=FileState.FAILED, tried_at__lt=failed_before) | Q(tried_at__lt=now - UNDER_WAY)
    return due


def _read(number: int) -> DocumentFile:
    return DocumentFile.objects.select_related("invoice__account", "invoice__corrects", "invoice__client").get(pk=number)


def _make(file: DocumentFile, looks: dict[int, Look]) -> FilesMade:
    """Make a claimed file, and set its new state. Never raises what its making raises."""
    try:
        _make_one(file, looks)
    except (NoPango, _StorageFailed) as error:
        return _failed(file, error.reason, given_up=True)
    except CannotPrint as error:
        return _failed(file, error.reason)
    except BillingError as refusal:
        return _failed(file, Detail("{message}: {detail}", message=word(refusal.code.message), detail=refusal.detail))
    except Exception as error:
        # Only the type of the error is kept: its text may hold secrets.
        logger.exception("the %s of invoice %s could not be made", file.kind, file.invoice_id)
        return _failed(file, Detail("The file could not be made: {why}", why=type(error).__name__))
    return FilesMade(made=1)


def _make_one(file: DocumentFile, looks: dict[int, Look]) -> None:
    # A file that is made late shows the document as it was issued: its void, too, came later.
    file.invoice.status = InvoiceStatus.APPROVED
    if file.kind == FileKind.PDF:
        _keep(file, _pdf(file.invoice, looks), PDF, TEMPLATE_VERSION)
    else:
        _keep(file, e_invoice_xml(file.invoice, style_of(file)), XML, MAPPING_VERSION)


def style_of(file: DocumentFile) -> EInvoiceStyle:
    """Return the format and profile of a file that is an electronic invoice."""
    return EInvoiceStyle(EInvoiceFormat(file.format), EInvoiceProfile(file.profile))


def _pdf(invoice: Invoice, looks: dict[int, Look]) -> bytes:
    """Return the PDF of a document, with its electronic invoice in it where the format says so."""
    if invoice.client_id not in looks:
        looks[invoice.client_id] = look_of(invoice.client)
    pdf = pdf_of(invoice, parts_at_issue(invoice), looks[invoice.client_id])
    inside = invoice.files.filter(kind=FileKind.E_INVOICE, format=EInvoiceFormat.FACTUR_X).first()
    return pdf if inside is None else with_e_invoice(pdf, _content_inside(inside), invoice)


def _content_inside(file: DocumentFile) -> bytes:
    """Return the electronic invoice that belongs into a PDF. It is made first if it is owed."""
    made = file
    if file.state != FileState.MADE:
        made = _read(file.pk)
        _make(made, {})
    if made.state != FileState.MADE:
        raise CannotPrint(Detail("{reason}", reason=made.why_missing))
    return content_of_file(made).content


def _keep(file: DocumentFile, content: bytes, media_type: str, version: str) -> None:
    """Store the content of a file, and write down that it is made."""
    name = _store(file.invoice, content, SUFFIXES[media_type])
    file.state, file.reason, file.detail = FileState.MADE, "", ""
    file.media_type, file.template_version = media_type, version
    file.sha256, file.size, file.name = hashlib.sha256(content).hexdigest(), len(content), name
    file.made_at = timezone.now()
    columns = ("state", "reason", "detail", "media_type", "template_version", "sha256", "size", "name", "made_at")
    unmade = DocumentFile.objects.filter(pk=file.pk).exclude(state=FileState.MADE)
    if not unmade.update(**{column: getattr(file, column) for column in columns}):
        # Another process was quicker: its file is the one.
        document_storage().delete(name)
        file.refresh_from_db(fields=columns)


def _store(invoice: Invoice, content: bytes, suffix: str) -> str:
    """Keep the content of a document, and return its name in the storage. Raises _StorageFailed."""
    try:
        return document_storage().save(_storage_name(invoice, suffix), ContentFile(content))
    except Exception as error:
        logger.exception("the file %s of invoice %s could not be stored", suffix, invoice.pk)
        why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        raise _StorageFailed(Detail("The storage of documents failed: {why}", why=why)) from error


def _failed(file: DocumentFile, reason: Detail, *, given_up: bool = False) -> FilesMade:
    file.state, file.reason, file.detail = FileState.FAILED, reason[:LONGEST_REASON], stored_detail(reason)
    unmade = DocumentFile.objects.filter(pk=file.pk).exclude(state=FileState.MADE)
    unmade.update(state=file.state, reason=file.reason, detail=file.detail)
    return FilesMade(failed=1, given_up=file.reason if given_up else "")


def _file_name(invoice: Invoice, suffix: str = ".pdf") -> str:
    """Return the name that a customer sees: INV-000001.pdf."""
    number = "".join(one if one.isalnum() or one in "-_." else "-" for one in invoice.document_number)
    return f"{number or f'draft-{invoice.pk}'}{suffix}"


def _storage_name(invoice: Invoice, suffix: str) -> str:
    day = invoice.invoice_date
    assert day is not None
    return f"client-{invoice.client_id}/{day:%Y/%m}/{slugify(invoice.document_number) or 'document'}-{invoice.pk}{suffix}"
