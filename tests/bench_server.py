"""What the bench of HTTP serves: the site, and in the same processes its floors, DRF views without any logic."""

import os
import pickle
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
settings.ROOT_URLCONF = __name__
settings.DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
application = get_wsgi_application()

from rest_framework.generics import ListAPIView, RetrieveAPIView  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.serializers import ModelSerializer  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from billing_site import urls  # noqa: E402
from invoices.models import Invoice, InvoiceLine, TaxDetail  # noqa: E402
from tests.support.bare_rows import TakenRows, write_again  # noqa: E402


class Open:
    authentication_classes = permission_classes = filter_backends = ()
    pagination_class = None


@cache
def taken_rows(name: str) -> list[list[TakenRows]]:
    return pickle.loads((Path(os.environ["BENCH_ROWS"]) / name).read_bytes())


class RowsFloor(Open, APIView):
    """Writes again what one call has written."""

    def post(self, request):
        write_again(taken_rows(request.data["name"])[request.data["place"]])
        return Response({"error_code": 0})


def serializer_of(one: type, **nested: ModelSerializer) -> type[ModelSerializer]:
    class Meta:
        model = one
        fields = "__all__"

    return type(f"{one.__name__}Floor", (ModelSerializer,), {"Meta": Meta, **nested})


class InvoiceFloor(Open, RetrieveAPIView):
    queryset = Invoice.objects.prefetch_related("lines", "tax_details")
    serializer_class = serializer_of(
        Invoice, lines=serializer_of(InvoiceLine)(many=True), tax_details=serializer_of(TaxDetail)(many=True)
    )


class InvoicesFloor(Open, ListAPIView):
    queryset = Invoice.objects.order_by("-pk")[:50]
    serializer_class = serializer_of(Invoice)


class InvoiceValues(Open, APIView):
    def get(self, request, pk):
        (invoice,) = Invoice.objects.filter(pk=pk).values()
        lines, taxes = (model.objects.filter(invoice=pk).values() for model in (InvoiceLine, TaxDetail))
        return Response({**invoice, "lines": list(lines), "tax_details": list(taxes)})


class InvoicesValues(Open, APIView):
    def get(self, request):
        return Response(list(Invoice.objects.order_by("-pk")[:50].values()))


urlpatterns = [
    path("floor/rows/", RowsFloor.as_view()),
    path("floor/invoices/<int:pk>/", InvoiceFloor.as_view()),
    path("floor/invoices/", InvoicesFloor.as_view()),
    path("floor/values/<int:pk>/", InvoiceValues.as_view()),
    path("floor/values/", InvoicesValues.as_view()),
    *urls.urlpatterns,
]
