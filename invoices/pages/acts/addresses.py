"""The addresses of the pages for acts."""

from django.urls import path

from invoices.pages.acts.additions import (
    AddOrder,
    AddPlan,
    AddUsage,
    ChangePlan,
    EndPlan,
    GiveServiceCredit,
    RedeemCoupon,
)
from invoices.pages.acts.credits import CreditLines, Dispute, WriteOff
from invoices.pages.acts.customer_edits import (
    AddContact,
    AddPaymentMethod,
    EditAccount,
    EditContact,
    EditPaymentMethod,
    RemoveContact,
)
from invoices.pages.acts.customers import NewCustomer
from invoices.pages.acts.one_off import OneOffInvoice
from invoices.pages.acts.payments import ApplyCredit, GiveCashCredit, RecordPayment
from invoices.pages.acts.plan_terms import AddOwnPrice, EndOwnPrice, PauseBilling, ResumeBilling, SetPoNumber, SetTrial
from invoices.pages.acts.statements import SendStatement
from invoices.pages.acts.transactions import RefundOfInvoice, RefundPayment, UndoTransaction, VoidTransaction
from invoices.pages.acts.usage_files import LoadUsageFile
from invoices.pages.acts.void_undoing import UndoMemo, UndoVoid
from invoices.pages.acts.waiting import CancelOrder, ChangeOrder, EndServiceCredit, WithdrawCoupon

act_patterns = [
    path("usage/load/", LoadUsageFile.as_view(), name="load-usage"),
    path("accounts/new/", NewCustomer.as_view(), name="new-customer"),
    path("accounts/<int:number>/edit/", EditAccount.as_view(), name="edit-account"),
    path("accounts/<int:number>/contacts/new/", AddContact.as_view(), name="add-contact"),
    path("accounts/<int:number>/contacts/<int:contact>/", EditContact.as_view(), name="edit-contact"),
    path("accounts/<int:number>/contacts/<int:contact>/remove/", RemoveContact.as_view(), name="remove-contact"),
    path("accounts/<int:number>/payment-methods/new/", AddPaymentMethod.as_view(), name="add-payment-method"),
    path("accounts/<int:number>/payment-methods/<int:method>/", EditPaymentMethod.as_view(), name="edit-payment-method"),
    path("accounts/<int:number>/plans/new/", AddPlan.as_view(), name="add-plan"),
    path("accounts/<int:number>/plans/<int:instance_no>/change/", ChangePlan.as_view(), name="change-plan"),
    path("accounts/<int:number>/plans/<int:instance_no>/end/", EndPlan.as_view(), name="end-plan"),
    path("accounts/<int:number>/plans/<int:instance_no>/trial/", SetTrial.as_view(), name="set-trial"),
    path("accounts/<int:number>/plans/<int:instance_no>/po-number/", SetPoNumber.as_view(), name="set-po-number"),
    path("accounts/<int:number>/plans/<int:instance_no>/prices/new/", AddOwnPrice.as_view(), name="own-price"),
    path("accounts/<int:number>/plans/<int:instance_no>/prices/<int:price>/end/", EndOwnPrice.as_view(), name="end-own-price"),
    path("accounts/<int:number>/pause/", PauseBilling.as_view(), name="pause-billing"),
    path("accounts/<int:number>/resume/", ResumeBilling.as_view(), name="resume-billing"),
    path("accounts/<int:number>/charges/new/", AddOrder.as_view(), name="add-order"),
    path("accounts/<int:number>/charges/<int:row>/", ChangeOrder.as_view(), name="change-order"),
    path("accounts/<int:number>/charges/<int:row>/cancel/", CancelOrder.as_view(), name="cancel-order"),
    path("accounts/<int:number>/coupons/<int:row>/withdraw/", WithdrawCoupon.as_view(), name="withdraw-coupon"),
    path("accounts/<int:number>/service-credits/<int:row>/end/", EndServiceCredit.as_view(), name="end-service-credit"),
    path("accounts/<int:number>/one-off/", OneOffInvoice.as_view(), name="one-off"),
    path("accounts/<int:number>/coupons/new/", RedeemCoupon.as_view(), name="redeem-coupon"),
    path("accounts/<int:number>/service-credits/new/", GiveServiceCredit.as_view(), name="give-service-credit"),
    path("accounts/<int:number>/usage/new/", AddUsage.as_view(), name="add-usage"),
    path("accounts/<int:number>/payments/new/", RecordPayment.as_view(), name="record-payment"),
    path("accounts/<int:number>/cash-credits/new/", GiveCashCredit.as_view(), name="give-cash-credit"),
    path("transactions/<int:number>/apply/", ApplyCredit.as_view(), name="apply-credit"),
    path("transactions/<int:number>/refund/", RefundPayment.as_view(), name="refund"),
    path("transactions/<int:number>/void/", VoidTransaction.as_view(), name="void-transaction"),
    path("transactions/<int:number>/undo/", UndoTransaction.as_view(), name="undo-transaction"),
    path("invoices/<int:number>/credit/", CreditLines.as_view(), name="credit-lines"),
    path("invoices/<int:number>/write-off/", WriteOff.as_view(), name="write-off"),
    path("invoices/<int:number>/dispute/", Dispute.as_view(), name="dispute"),
    path("invoices/<int:number>/undo-memo/", UndoMemo.as_view(), name="undo-memo"),
    path("invoices/<int:number>/undo-void/", UndoVoid.as_view(), name="undo-void"),
    path("invoices/<int:number>/statement/", SendStatement.as_view(), name="send-statement"),
    path("invoices/<int:number>/refund/", RefundOfInvoice.as_view(), name="refund-invoice"),
]
