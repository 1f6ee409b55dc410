"""The back office's pages of accounts, invoices and billing runs."""

from django.urls import path

from invoices.views.accounts import AccountList, AccountPage, GeneratePage
from invoices.views.dashboard import Dashboard
from invoices.views.documents import InvoiceList
from invoices.views.runs import RunList, RunPage

urlpatterns = [
    path("", Dashboard.as_view(), name="dashboard"),
    path("accounts/", AccountList.as_view(), name="accounts"),
    path("accounts/<int:number>/", AccountPage.as_view(), name="account"),
    path("accounts/<int:number>/generate/", GeneratePage.as_view(), name="generate"),
    path("invoices/", InvoiceList.as_view(), name="invoices"),
    path("invoices/pending/", Dashboard.as_view(), name="pending"),
    path("invoices/<int:number>/", Dashboard.as_view(), name="invoice"),
    path("billing-runs/", RunList.as_view(), name="runs"),
    path("billing-runs/<int:number>/", RunPage.as_view(), name="run"),
]
