"""Billing runs, their outcomes, and saved filters."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import ListResource, Operation, ReadResource
from accounts.clock import today
from accounts.rights import APPROVE, GENERATE, Right
from invoices.api.filters import RunOutcomeFilter
from invoices.api.serializers.documents import INVOICES_AT_ONCE, OutcomesSerializer, decided_row
from invoices.api.serializers.runs import (
    BillingRunDetailSerializer,
    BillingRunSerializer,
    RetryArguments,
    RunArguments,
    RunCreationArguments,
    RunFilterSerializer,
    RunOutcomeSerializer,
    limits_of,
)
from invoices.kinds import RunMode
from invoices.models import BillingRun, RunFilter, RunOutcome
from invoices.services.approving.discarding_runs import discard_pending_of_run
from invoices.services.runs.account_lists import read_strict_filter
from invoices.services.runs.filters import delete_filter, save_filter
from invoices.services.runs.requests import choose
from invoices.services.runs.runs import begin_run, cancel_run, pause_run, plan_run, resume_run, retry_run, start_run

ACTS = ("create", "dry_run", "start", "pause", "resume", "cancel", "retry")


class BillingRunViewSet(ReadResource):
    """Billing runs are planned, started, paused, resumed, cancelled, and retried for refused accounts. Workers bill the
    accounts."""

    queryset = BillingRun.objects.all()
    newest_first = True
    rights: Mapping[str, Right] = {**dict.fromkeys(ACTS, GENERATE), "discard_pending": APPROVE}
    operations: Mapping[str, Operation] = {
        **dict.fromkeys(("start", "pause", "resume", "cancel"), Operation(None, BillingRunDetailSerializer)),
        "create": Operation(RunCreationArguments, BillingRunDetailSerializer, HTTP_201_CREATED),
        "dry_run": Operation(RunArguments, BillingRunDetailSerializer, HTTP_201_CREATED),
        "retry": Operation(RetryArguments, BillingRunDetailSerializer),
        "discard_pending": Operation(None, OutcomesSerializer),
    }
    resumed_actions = ("discard_pending",)

    def get_serializer_class(self) -> type[BillingRunSerializer]:
        return BillingRunSerializer if self.action == "list" else BillingRunDetailSerializer

    def create(self, request: Request) -> Response:
        """Plan a run: it holds its accounts, and bills none before it is started."""
        arguments = self.arguments()
        options = self._options(arguments)
        run = plan_run(client=self.client, caller=self.caller, compared_with=arguments.get("compared_with"), **options)
        return self.answer(run.pk)

    @action(detail=False, methods=["post"])
    def dry_run(self, request: Request) -> Response:
        """Start a dry run: workers plan the invoices of all its accounts, and write nothing but the run."""
        options = self._options(self.arguments())
        return self.answer(start_run(client=self.client, caller=self.caller, is_dry_run=True, **options).pk)

    def _options(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        chosen, mode = choose(
            self.client,
            values=arguments.get("filter"),
            saved=arguments.get("filter_name"),
            dry_run=arguments.get("compared_with"),
            mode=RunMode(arguments["mode"]) if "mode" in arguments else None,
        )
        return {"today": today(self.client), "chosen": chosen, "mode": mode, "limits": limits_of(self.client, arguments)}

    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start a planned run."""
        self.arguments()
        return self.answer(begin_run(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a running run. A batch that has begun is finished."""
        self.arguments()
        return self.answer(pause_run(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a paused run, or continue one past the limit that has stopped it."""
        self.arguments()
        return self.answer(resume_run(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Bill no further account. Invoices that the run has generated stay."""
        self.arguments()
        return self.answer(cancel_run(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try the refused accounts of a finished run again."""
        arguments = self.arguments()
        run = self.get_object()
        retry_run(run, caller=self.caller, **arguments)
        return self.answer(run.pk)

    @action(detail=True, methods=["post"])
    def discard_pending(self, request: Request, pk: str) -> Response:
        """Discard pending invoices of a run that is not running, at most 1,000 at once: their accounts are due again. Repeat it
        until the run has none (`pending`)."""
        self.arguments()
        outcomes = discard_pending_of_run(
            self.get_object(), caller=self.caller, today=today(self.client), limit=INVOICES_AT_ONCE
        )
        rows = [decided_row(number, outcome) for number, outcome in outcomes.items()]
        return Response(OutcomesSerializer({"outcomes": rows}).data)


class RunOutcomeViewSet(ListResource):
    """The outcome of a billing run for each account."""

    queryset = RunOutcome.objects.select_related("invoice")
    client_path = "run__client"

    serializer_class = RunOutcomeSerializer
    filterset_class = RunOutcomeFilter

    def get_queryset(self) -> QuerySet[RunOutcome]:
        run = get_object_or_404(BillingRun, client=self.client, pk=self.kwargs["run"])
        return super().get_queryset().filter(run=run)


class RunFilterViewSet(ReadResource):
    """Filters of billing runs that are saved by a name."""

    queryset = RunFilter.objects.all()
    serializer_class = RunFilterSerializer
    rights: Mapping[str, Right] = dict.fromkeys(("create", "destroy"), GENERATE)
    operations: Mapping[str, Operation] = {"create": Operation(RunFilterSerializer, RunFilterSerializer, HTTP_201_CREATED)}

    def create(self, request: Request) -> Response:
        """Save a filter. One with the same name is replaced."""
        arguments = self.arguments()
        chosen = read_strict_filter(self.client, arguments["filter"])
        saved = save_filter(client=self.client, name=arguments["name"], chosen=chosen, caller=self.caller)
        return self.answer(saved.pk)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a saved filter. Runs keep theirs."""
        delete_filter(client=self.client, name=self.get_object().name, caller=self.caller)
        return self.answer(None)
