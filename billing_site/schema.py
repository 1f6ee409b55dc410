"""The API's description (OpenAPI 3): what drf-spectacular cannot find out about resources and method calls.

Every resource operation may answer with an error of the error table. Method calls always answer HTTP 200.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS

from accounts.api.resources import Operation
from accounts.aria.method_calls import Method
from accounts.aria.renderers import FORMATS
from billing_site.api import METHODS
from billing_site.common.json_bodies import MergePatchParser
from billing_site.errors import ErrorCode
from billing_site.method_outputs import OUTPUT_NAMES

Direction = Literal["request", "response"]
PROBLEM = "Problem"
WHOLE = {"type": "integer", "format": "int64", "nullable": True}
NUMBER = {"type": "number", "format": "double", "nullable": True}
TEXT = {"type": "string", "nullable": True}
ROWS = {"type": "array", "items": {"type": "object", "additionalProperties": {}}, "nullable": True}
"""The types of Aria's output fields. Each is null if the call failed."""


class BasicKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.BasicKeyAuthentication"
    name = "client_no and auth_key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "basic", "description": "client_no as the user name, auth_key as the password."}


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.StaffSessionAuthentication"
    name = "staff session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class LongFieldType(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "billing_site.common.fields.LongField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return {"type": "integer", "format": "int64"}


AMOUNT_FIELDS = {"AmountField", "LineAmountField", "PlannedAmountField", "PlainDecimalField", "EntryAmountField"}


class AmountType(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Amounts, rates and units are texts, so that readers do not turn them into doubles."""

    target_class = "rest_framework.serializers.ReadOnlyField"
    match_subclasses = True

    @classmethod
    def _matches(cls, target: Any) -> bool:
        return type(target).__name__ in AMOUNT_FIELDS

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return {"type": "string", "format": "decimal", "nullable": True}


class UsedAtType(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "invoices.api.serializers.usage.UsedAtField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return {"type": "string", "description": "yyyy-mm-ddThh:mm:ss, with or without an offset."}


class Schema(AutoSchema):
    """Adds the errors to resource operations, and describes method calls from their arguments and outputs."""

    @property
    def called(self) -> Method | None:
        return getattr(getattr(self.view, getattr(self.view, "action", None) or "", None), "method_call", None)

    def get_override_parameters(self) -> list[Any]:
        if self.called or self.method in SAFE_METHODS:
            asked = getattr(self.view, "queries", {}).get(getattr(self.view, "action", ""))
            return [asked] if asked else []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="A retry with the same key is done once and gets the first answer again.",
                pattern="^[!-~]{1,255}$",
            )
        ]

    def get_tags(self) -> list[str]:
        return ["Aria's method calls"] if self.called else super().get_tags()

    def get_operation_id(self) -> str:
        """Return the method's name, or resource and action: invoice_approve."""
        view: Any = self.view
        return self.called.name if self.called else f"{view.basename}_{view.action}".replace("-", "_")

    def get_auth(self) -> list[dict[str, Any]]:
        return [{}] if self.called else super().get_auth()

    @property
    def operation(self) -> Operation | None:
        operations: Mapping[str, Operation] = getattr(self.view, "operations", {})
        return operations.get(getattr(self.view, "action", ""))

    def get_request_serializer(self) -> Any:
        if self.called:
            return self.called.taken
        return self.operation.arguments if self.operation else super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        if self.operation is None:
            return super().get_response_serializers()
        answer = self.operation.answer
        return answer if self._is_list_view(answer) else {self.operation.status: answer}

    def _is_list_view(self, serializer: Any = None) -> bool:
        return getattr(self.view, "action", "") == "list" and not getattr(self.view, "is_report", False)

    def get_filter_backends(self) -> list[Any]:
        """Return what filters the rows of the operation: those of lists, and of downloads that have the filters of the list."""
        view: Any = self.view
        is_download_of_list = self._download is not None and not view.detail
        backends: list[Any] = view.filter_backends if is_download_of_list else super().get_filter_backends()
        return backends

    @property
    def _download(self) -> Any:
        return getattr(self.view, "downloads", {}).get(getattr(self.view, "action", ""))

    def map_parsers(self) -> list[str]:
        """Return the media types of bodies. A JSON merge may be sent under a name of its own, but is described once."""
        parsers: list[str] = ["application/json"] if self.called else super().map_parsers()
        return [one for one in parsers if one != MergePatchParser.media_type]

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        if self.called:
            return {
                "200": {"description": self.called.name, "content": {"application/json": {"schema": given_by(self.called)}}}
            }
        if self._download is not None:
            content = {self._download.media_type: {"schema": {"type": "string", "format": "binary"}}}
            return {"200": {"description": "The file.", "content": content}, **problems()}
        return {**super()._get_response_bodies(direction), **problems()}


def given_by(method: Method) -> dict[str, Any]:
    outputs = {name: OUTPUTS[name] for name in method.outputs}
    return {
        "type": "object",
        "properties": {"error_code": {**WHOLE, "nullable": False}, "error_msg": {"type": "string"}, **outputs},
        "required": ["error_code", "error_msg", *method.outputs],
    }


def problems() -> dict[str, Any]:
    """Return one response for each HTTP status of the error table, listing its errors."""
    rows: dict[int, list[str]] = defaultdict(list)
    for code in ErrorCode:
        if code.http_status >= 400:
            rows[code.http_status].append(f"{code.number}: {code.message}")
    descriptions = {str(status): "  \n".join(sorted(texts)) for status, texts in sorted(rows.items())}
    return {status: _problem(text) for status, text in {**descriptions, **HTTP_ITSELF}.items()}


HTTP_ITSELF = {
    "405": "The address does not allow this method.",
    "406": "This format does not exist.",
    "415": "The body is not JSON.",
}


def _problem(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}},
    }


def with_problem_and_dispatcher(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Add the error body, and Aria's single address for all method calls.

    No member of an answer is required, because `fields` can leave any out. Requests allow no members besides those described.
    """
    for name, schema in result["components"].get("schemas", {}).items():
        if not name.endswith("Request"):
            schema.pop("required", None)
        elif schema.get("type") == "object":
            schema["additionalProperties"] = False
    result["components"].setdefault("schemas", {})[PROBLEM] = {
        "type": "object",
        "description": "A refusal: nothing was written. `errors` says per field what is wrong.",
        "properties": {
            "error_code": {"type": "integer"},
            "error_msg": {"type": "string"},
            "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            "third_party_errors": {"type": "array", "items": {"type": "object", "additionalProperties": {}}},
        },
        "required": ["error_code", "error_msg", "errors"],
    }
    result["paths"]["/v1/core"] = {"post": _dispatcher()}
    return result


def _dispatcher() -> dict[str, Any]:
    return {
        "operationId": "core",
        "tags": ["Aria's method calls"],
        "description": (
            "Any method call by its name in `rest_call`, with the members that it takes at its own address. Also at "
            "/api/ws/api_ws_class_dispatcher.php. Forms are read too, and parameters of the query. Without an output_format "
            "the answer is WDDX."
        ),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "rest_call": {"type": "string", "enum": sorted(METHODS)},
                            "output_format": {"type": "string", "enum": sorted(FORMATS)},
                            "client_no": {"type": "integer", "format": "int64"},
                            "auth_key": {"type": "string", "maxLength": 32},
                        },
                        "required": ["rest_call", "output_format", "client_no", "auth_key"],
                        "additionalProperties": {},
                    }
                }
            },
        },
        "security": [{}],
        "responses": {
            "200": {
                "description": "What the method returns. `error_code` is 0, or a number of the error table.",
                "content": {
                    content_type: {"schema": _any_answer() if name == "json" else {"type": "string"}}
                    for name, (_, content_type) in FORMATS.items()
                },
            }
        },
    }


def _any_answer() -> Mapping[str, Any]:
    properties = {"error_code": {"type": "integer"}, "error_msg": {"type": "string"}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": {}}


NUMBER_OR_TEXT = {"anyOf": [NUMBER, TEXT]}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "long": WHOLE,
    "double": NUMBER,
    "text": TEXT,
    "number or text": NUMBER_OR_TEXT,
    "rows": ROWS,
}

OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    name: SHAPES[kind] for kind, names in OUTPUT_NAMES.items() for name in names.split()
}
"""The schema of each output of method calls."""
