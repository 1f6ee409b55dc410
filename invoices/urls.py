"""The back office's pages of accounts, invoices and billing runs."""

from django.urls import path

from invoices.pages.account_generating import GeneratePage
from invoices.pages.account_pages import AccountPage, RemovePlan
from invoices.pages.accounts import AccountList
from invoices.pages.collecting import CollectMany
from invoices.pages.dashboard import Dashboard
from invoices.pages.decisions import DecisionCsv, DecisionPage
from invoices.pages.documents import InvoiceList
from invoices.pages.files import TryFilesAgain
from invoices.pages.invoice_page import InvoiceAct, InvoicePage, PdfPage, PrintPage
from invoices.pages.pending import CompareWithPrevious, Decide, DecideAct, Queue
from invoices.pages.run_acts import RunAct
from invoices.pages.run_start import RunStart
from invoices.pages.runs import RunList, RunPage, RunProgress
from invoices.pages.schedules import SchedulePage

urlpatterns = [
    path("", Dashboard.as_view(), name="dashboard"),
    path("accounts/", AccountList.as_view(), name="accounts"),
    path("accounts/<int:number>/", AccountPage.as_view(), name="account"),
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
    path("invoices/files/try-again/", TryFilesAgain.as_view(), name="try-files-again"),
    path("invoices/<int:number>/", InvoicePage.as_view(), name="invoice"),
    path("invoices/<int:number>/print/", PrintPage.as_view(), name="print"),
    path("invoices/<int:number>/pdf/", PdfPage.as_view(), name="pdf"),
    path("invoices/<int:number>/act/<slug:act>/", InvoiceAct.as_view(), name="invoice-act"),
    path("billing-runs/", RunList.as_view(), name="runs"),
    path("billing-runs/new/", RunStart.as_view(), name="start-run"),
    path("billing-runs/<int:number>/", RunPage.as_view(), name="run"),
    path("billing-runs/<int:number>/progress/", RunProgress.as_view(), name="run-progress"),
    path("billing-runs/<int:number>/act/<slug:act>/", RunAct.as_view(), name="run-act"),
    path("schedules/", SchedulePage.as_view(), name="schedules"),
]
