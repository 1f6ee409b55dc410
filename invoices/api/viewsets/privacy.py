"""Personal data of customers: what is stored, its export, its erasure, and who has seen it."""

from collections.abc import Mapping
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import ClientResource, ListResource, Operation
from accounts.clock import today
from accounts.kinds import AccessKind
from accounts.models import Account, PersonalDataAccess
from accounts.rights import PERSONAL_DATA, Right, check_may
from billing_site.common.fields import ChoicesFilter, LongFilter
from billing_site.errors import ErrorCode
from invoices.api.downloads import ZIP, ZipRenderer
from invoices.api.serializers.privacy import (
    ErasureArguments,
    ErasureSerializer,
    PersonalDataAccessSerializer,
    PersonalDataSerializer,
)
from invoices.models import Erasure
from invoices.services.privacy.erasing import erase_person, preview_erasure
from invoices.services.privacy.exporting import export_person


class PersonalDataViewSet(ClientResource):
    """The personal data of a customer, named by `acct_no`."""

    queryset = Account.objects.all()
    serializer_class = PersonalDataSerializer
    not_found = ErrorCode.ACCOUNT_NOT_FOUND
    staff_permission = PERSONAL_DATA.permission
    rights: Mapping[str, Right] = {"erase": PERSONAL_DATA}
    operations: Mapping[str, Operation] = {
        "retrieve": Operation(None, PersonalDataSerializer),
        "erase": Operation(ErasureArguments, ErasureSerializer),
    }
    downloads: Mapping[str, type[BaseRenderer]] = {"export": ZipRenderer}

    def get_renderers(self) -> list[BaseRenderer]:
        renderers = super().get_renderers()
        return [*renderers, self.downloads[self.action]()] if self.action in self.downloads else renderers

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return what erasing the customer would do, and what stands in its way. Nothing is written."""
        check_may(self.caller, PERSONAL_DATA)
        account = self.get_object()
        preview = preview_erasure(client=self.client, account_no=account.pk, today=today(self.client))
        is_erased = Erasure.objects.filter(account=account).exists()
        return Response(PersonalDataSerializer({"acct_no": account.pk, "is_erased": is_erased, **preview._asdict()}).data)

    @action(detail=True, methods=["get"])
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Return everything that is stored about the customer, as a ZIP: data.json and the files of the documents."""
        number = self.get_object().pk
        parts = export_person(client=self.client, account_no=number, caller=self.caller)
        response = StreamingHttpResponse(parts, content_type=ZIP)
        response["Content-Disposition"] = f'attachment; filename="customer-{number}.zip"'
        return response

    @action(detail=True, methods=["post"])
    def erase(self, request: Request, pk: str) -> Response:
        """Blank the personal data of the customer. It cannot be undone. Documents are kept as long as the law wants."""
        arguments = self.arguments()
        erasure = erase_person(
            client=self.client, account_no=self.get_object().pk, caller=self.caller, today=today(self.client), **arguments
        )
        return self.answer(erasure.pk)

    def stored_answer(self, number: int) -> Response:
        return Response(ErasureSerializer(Erasure.objects.get(pk=number)).data)


class AccessFilter(FilterSet):
    acct_no = LongFilter(field_name="account")
    kind = ChoicesFilter(AccessKind, field_name="kind")

    class Meta:
        model = PersonalDataAccess
        fields = ("by",)


class PersonalDataAccessViewSet(ListResource):
    """Who has opened or exported the personal data of customers: a row for each caller, customer, kind and hour."""

    queryset = PersonalDataAccess.objects.all()
    serializer_class = PersonalDataAccessSerializer
    filterset_class = AccessFilter
    staff_permission = PERSONAL_DATA.permission
    newest_first = True

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        check_may(self.caller, PERSONAL_DATA)
        return super().list(request, *args, **kwargs)
