"""The method call that checks credentials."""

from collections.abc import Mapping
from typing import Any

from rest_framework.viewsets import ViewSet

from accounts.aria.method_calls import Call, method_call, never
from billing_site.common.members import NoArguments


class CallerViewSet(ViewSet):
    """Check whether client_no and auth_key belong together."""

    @method_call(NoArguments, outputs=(), refused_act="caller.refused", writes=never)
    def authenticate_caller(self, call: Call) -> Mapping[str, Any]:
        return {}

    @method_call(NoArguments, outputs=(), refused_act="caller.refused", writes=never)
    def authenticate_caller_m(self, call: Call) -> Mapping[str, Any]:
        return {}
