"""Files of documents as HTTP answers."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.renderers import BaseRenderer

from invoices.kinds import FileState
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.archives import zip_of_files
from invoices.services.printing.e_invoices import XML
from invoices.services.printing.files import FileContent, made_files
from invoices.services.printing.pdf import PDF

ZIP = "application/zip"


class _FileRenderer(BaseRenderer):
    """Lets a caller accept the file's media type. The file itself is not rendered."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        return data


class PdfRenderer(_FileRenderer):
    media_type, format = PDF, "pdf"


class XmlRenderer(_FileRenderer):
    media_type, format = XML, "xml"


class ZipRenderer(_FileRenderer):
    media_type, format = ZIP, "zip"


def download_of(file: FileContent) -> HttpResponse:
    """Return a file, with its hash as ETag."""
    response = HttpResponse(file.content, content_type=file.media_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["ETag"] = f'"{file.sha256}"'
    return response


def zip_response(name: str, invoices: QuerySet[Invoice]) -> StreamingHttpResponse:
    """Return the files of these documents as a ZIP, which is sent while it is written."""
    owed = DocumentFile.objects.filter(invoice__in=invoices.order_by().values("pk")).exclude(state=FileState.MADE).count()
    response = StreamingHttpResponse(zip_of_files(made_files(invoices), owed), content_type=ZIP)
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response
