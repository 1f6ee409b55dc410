"""The back office's pages of accounts, invoices and billing runs."""

from django.urls import path

from invoices.pages.account_generating import GeneratePage
from invoices.pages.account_pages import AccountPage, RemovePlan
from invoices.pages.accounts import AccountList
from invoices.pages.acts.addresses import act_patterns
from invoices.pages.approval_rules import ApprovalRulesPage, ApprovalVersionPage, NewApprovalRules
from invoices.pages.catalogue.addresses import catalogue_patterns
from invoices.pages.collecting import CollectMany, SendMany, ZipMany
from invoices.pages.customer_history import CustomerHistory
from invoices.pages.dashboard import Dashboard
from invoices.pages.decisions import DecisionCsv, DecisionPage
from invoices.pages.documents import InvoiceList
from invoices.pages.files import TryFilesAgain
from invoices.pages.health import HealthPage
from invoices.pages.invoice_page import EInvoicePage, InvoiceAct, InvoicePage, PdfPage, PrintPage
from invoices.pages.mail_texts import MailTextsPage
from invoices.pages.pending import CompareWithPrevious, Decide, DecideAct, Queue
from invoices.pages.periods import PeriodsPage
from invoices.pages.personal_data import PersonalDataPage
from invoices.pages.reports.base import ReportList
from invoices.pages.reports.owed import FailedCollections, Receivables, UnappliedCredit
from invoices.pages.reports.periods import Journal, Months, TaxByRate, Transactions
from invoices.pages.run_acts import RunAct
from invoices.pages.run_start import RunStart
from invoices.pages.runs import RunList, RunPage, RunProgress
from invoices.pages.schedules import SchedulePage
from invoices.pages.search import SearchPage
from invoices.pages.settings.addresses import settings_patterns
from invoices.pages.webhooks import WebhookAct, WebhookDetail, WebhookList

urlpatterns = [
    path("", Dashboard.as_view(), name="dashboard"),
    path("accounts/", AccountList.as_view(), name="accounts"),
    path("accounts/<int:number>/", AccountPage.as_view(), name="account"),
    path("accounts/<int:number>/history/", CustomerHistory.as_view(), name="account-history"),
    path("accounts/<int:number>/personal-data/", PersonalDataPage.as_view(), name="personal-data"),
    path("accounts/<int:number>/plans/<int:instance_no>/take-off/", RemovePlan.as_view(), name="remove_plan_instance"),
    path("accounts/<int:number>/generate/", GeneratePage.as_view(), name="generate"),
    path("invoices/", InvoiceList.as_view(), name="invoices"),
    path("invoices/pending/", Queue.as_view(), name="pending"),
    path("invoices/pending/decide/", Decide.as_view(), name="decide"),
    path("invoices/pending/acts/<int:number>/<slug:decision>/", DecideAct.as_view(), name="decide-act"),
    path("invoices/pending/<int:number>/", CompareWithPrevious.as_view(), name="beside"),
    path("invoices/decisions/<int:number>/", DecisionPage.as_view(), name="decision"),
    path("invoices/decisions/<int:number>/outcomes.csv", DecisionCsv.as_view(), name="decision-csv"),
    path("invoices/collect/", CollectMany.as_view(), name="collect-many"),
    path("invoices/statements/", SendMany.as_view(), name="send-many"),
    path("invoices/files/zip/", ZipMany.as_view(), name="zip-many"),
    path("invoices/files/try-again/", TryFilesAgain.as_view(), name="try-files-again"),
    path("invoices/<int:number>/", InvoicePage.as_view(), name="invoice"),
    path("invoices/<int:number>/print/", PrintPage.as_view(), name="print"),
    path("invoices/<int:number>/pdf/", PdfPage.as_view(), name="pdf"),
    path("invoices/<int:number>/xml/", EInvoicePage.as_view(), name="e_invoice"),
    path("invoices/<int:number>/act/<slug:act>/", InvoiceAct.as_view(), name="invoice-act"),
    path("billing-runs/", RunList.as_view(), name="runs"),
    path("billing-runs/new/", RunStart.as_view(), name="start-run"),
    path("billing-runs/<int:number>/", RunPage.as_view(), name="run"),
    path("billing-runs/<int:number>/progress/", RunProgress.as_view(), name="run-progress"),
    path("billing-runs/<int:number>/act/<slug:act>/", RunAct.as_view(), name="run-act"),
    path("reports/", ReportList.as_view(), name="reports"),
    path("reports/receivables/", Receivables.as_view(), name="report-receivables"),
    path("reports/credit/", UnappliedCredit.as_view(), name="report-credit"),
    path("reports/failed-collections/", FailedCollections.as_view(), name="report-failed"),
    path("reports/months/", Months.as_view(), name="report-months"),
    path("reports/taxes/", TaxByRate.as_view(), name="report-taxes"),
    path("reports/journal/", Journal.as_view(), name="report-journal"),
    path("reports/transactions/", Transactions.as_view(), name="report-transactions"),
    path("mail-texts/", MailTextsPage.as_view(), name="mail-texts"),
    path("search/", SearchPage.as_view(), name="search"),
    path("health/", HealthPage.as_view(), name="health"),
    path("approval-rules/", ApprovalRulesPage.as_view(), name="approval-rules"),
    path("approval-rules/new/", NewApprovalRules.as_view(), name="new-approval-rules"),
    path("approval-rules/<int:number>/", ApprovalVersionPage.as_view(), name="approval-version"),
    path("periods/", PeriodsPage.as_view(), name="periods"),
    path("schedules/", SchedulePage.as_view(), name="schedules"),
    path("webhooks/", WebhookList.as_view(), name="webhooks"),
    path("webhooks/<int:number>/", WebhookDetail.as_view(), name="webhook"),
    path("webhooks/<int:number>/act/<slug:act>/", WebhookAct.as_view(), name="webhook-act"),
    *act_patterns,
    *catalogue_patterns,
    *settings_patterns,
]
