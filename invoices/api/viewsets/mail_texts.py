"""The words of the e-mails that send documents."""

from collections.abc import Mapping

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.rights import CHANGE_SETTINGS, Right
from billing_site.common.languages import Language
from invoices.kinds import MailKind
from invoices.models import MailText
from invoices.services.statements.mail_texts import Words, set_mail_text


class MailTextSerializer(serializers.ModelSerializer):
    class Meta:
        model = MailText
        fields = ("id", "kind", "language", "subject", "opening")


class MailTextArguments(serializers.Serializer):
    """The words for a kind of document and a language. They replace those that there are."""

    kind = serializers.ChoiceField(choices=MailKind.choices)
    language = serializers.ChoiceField(choices=Language.choices)
    subject = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    opening = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        if not attrs["subject"] and not attrs["opening"]:
            raise serializers.ValidationError(
                {"opening": ["Give a subject or an opening. To have the usual words, delete the row"]}
            )
        return attrs


class MailTextViewSet(ReadResource):
    """Subjects and openings of the e-mails that send documents, by kind of document and language."""

    queryset = MailText.objects.all()
    serializer_class = MailTextSerializer
    filterset_fields = ("kind", "language")
    rights: Mapping[str, Right] = dict.fromkeys(("create", "destroy"), CHANGE_SETTINGS)
    operations: Mapping[str, Operation] = {"create": Operation(MailTextArguments, MailTextSerializer, HTTP_201_CREATED)}

    def create(self, request: Request) -> Response:
        """Set the words for a kind of document and a language."""
        given = self.arguments()
        row = set_mail_text(
            client=self.client,
            kind=MailKind(given["kind"]),
            language=Language(given["language"]),
            words=Words(given["subject"], given["opening"]),
            caller=self.caller,
        )
        return self.answer(row.pk if row else None)

    def destroy(self, request: Request, pk: str) -> Response:
        """Have the usual words again."""
        row = self.get_object()
        kind, language = MailKind(row.kind), Language(row.language)
        set_mail_text(client=self.client, kind=kind, language=language, words=Words(), caller=self.caller)
        return self.answer(None)
