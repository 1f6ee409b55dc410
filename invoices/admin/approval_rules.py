"""Approval rules, given approvals, stand-ins and closed periods in the admin, for reading. They are changed on their pages."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import NamesPeople, ReadOnlyAdmin, person
from invoices.models import ApprovalProgress, ApprovalRule, ApprovalRules, ClosedPeriod, GivenApproval, StandIn


@admin.register(ApprovalRules)
class ApprovalRulesAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = ["version", "client", "is_on", "comments", "maker", "made_at", "switcher", "switched_at"]
    list_filter = ["is_on", "client"]
    list_select_related = ["client"]
    search_fields = ["comments"]
    identities = ("made_by", "switched_by")
    exclude = identities
    readonly_fields = ["maker", "switcher"]
    maker = person("made_by", _("made by"))
    switcher = person("switched_by", _("switched by"))


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(ReadOnlyAdmin):
    client_path = "rules__client"
    list_display = ["rules", "position", "name", "approves_after_hours", "approvers", "role", "escalates_after_days"]
    list_filter = ["rules__client"]
    list_select_related = ["rules"]
    search_fields = ["name"]


@admin.register(GivenApproval)
class GivenApprovalAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "invoice__client"
    list_display = ["invoice", "giver", "given_at"]
    list_filter = ["invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact"]
    identities = ("given_by",)
    exclude = identities
    readonly_fields = ["giver"]
    giver = person("given_by", _("given by"))


@admin.register(ApprovalProgress)
class ApprovalProgressAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "invoice__client"
    list_display = ["invoice", "stopped_at", "stopper", "reason", "escalated_at"]
    list_filter = ["invoice__client"]
    list_select_related = ["invoice"]
    search_fields = ["invoice__document_number", "invoice__id__exact"]
    identities = ("stopped_by",)
    exclude = identities
    readonly_fields = ["stopper"]
    stopper = person("stopped_by", _("stopped by"))


@admin.register(StandIn)
class StandInAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = ["person", "stand_in", "first_day", "last_day", "client"]
    list_filter = ["client"]
    list_select_related = ["person", "stand_in", "client"]
    search_fields = ["person__username", "stand_in__username"]
    identities = ("set_by",)
    exclude = identities
    readonly_fields = ["setter"]
    setter = person("set_by", _("set by"))


@admin.register(ClosedPeriod)
class ClosedPeriodAdmin(NamesPeople, ReadOnlyAdmin):  # type: ignore[misc]
    client_path = "client"
    list_display = ["first_day", "last_day", "client", "state", "closer", "closed_at", "reopener", "reopened_at"]
    list_filter = ["state", "client"]
    list_select_related = ["client"]
    search_fields = ["comments"]
    identities = ("closed_by", "reopening_asked_by", "reopened_by")
    exclude = identities
    readonly_fields = ["closer", "asker", "reopener"]
    closer = person("closed_by", _("closed by"))
    asker = person("reopening_asked_by", _("reopening asked by"))
    reopener = person("reopened_by", _("reopened by"))
