"""Plain words for pages, by the words that programs are answered: staff do not know the vendor's or the API's terms.

`billing_site.errors` looks them up wherever it makes a text for a page, and the pages of the settings do for help texts. A text
that is missing here is plain enough as it is. The catalogues have these texts, as they have the table's messages. Imports
nothing of ours.
"""

PAGE_WORDS = {
    # Messages of codes.
    "no line items provided": "No line is left. Keep or add at least one line",
    "account does not exist": "The account does not exist",
    "Missing required parameter: {field}": "An entry is missing: {field}",
    "invalid input format": "The entry does not have the right form",
    "invalid input": "The entry is not valid",
    "invalid date format": "The date is not valid",
    "a parameter that represents a true or false value contains invalid input": "Choose yes or no",
    "transaction does not exist": "The transaction does not exist",
    "transaction is a voiding transaction": "This transaction is itself a void, and cannot be voided",
    "transaction already voided": "Already voided",
    "pending invoice regen failed - old invoice could not be discarded": (
        "The pending invoice was not regenerated, because the old one could not be discarded"
    ),
    "invalid pending invoice number": "The document is not pending",
    "Invalid reason code": "This reason cannot be used. Choose another one",
    "Individual invoice transactions cannot be voided independent of the invoice. Use void_invoice_m API to void the "
    "entire invoice.": "A transaction of an invoice cannot be voided by itself. Void the whole invoice",
    "The invoice for this account cannot be generated at this time, since there is another invoice in progress for the "
    "same billing group.": "Another invoice of this account is being generated. Try again in a moment",
    "cc authorization failed": "The payment was declined",
    "account does not have a pending invoice": "The account has no pending invoice",
    "Recurring billing not allowed because account is a TEST account": "A test account is not billed",
    "Recurring billing not allowed because account status prevents it": (
        "The account is not billed in its status. Change the status first"
    ),
    "Recurring billing not allowed because account does not have a billable service plan": (
        "The account has no plan that can be billed. Add a plan first"
    ),
    "Recurring billing not allowed because account has a pending invoice on file and awaiting approval": (
        "The account has a pending invoice. Approve or discard it first"
    ),
    "Recurring billing not allowed because account\u2019s next anniversary billing date is in the future": (
        "The next bill date of the account is in the future"
    ),
    "Electronic collection not allowed because account is a TEST account": "A test account is not charged",
    "Electronic collection not allowed because account status prevents it": (
        "Nothing is collected from the account in its status. Record a payment instead"
    ),
    "Electronic collection not allowed because no valid electronic form of payment on file": (
        "The account has no valid card or bank account. Add a payment method, or record a payment"
    ),
    "Pro-ration to new bill day only supported for first invoice": "The bill day can be changed only with the first invoice",
    "Invalid Plan instance number": "The account does not have this plan",
    "Missing Credit Memo Comments": "Write comments for the credit memo",
    "no data found": "Not found",
    "The document has changed since you saw it. Read it again, then repeat the request": (
        "The document has changed since you saw it. Look at it again, then confirm"
    ),
    "The row has changed since it was read. Read it again, then repeat the change": (
        "This has been changed since you opened the page. Look at it again, then repeat your change"
    ),
    "The preview has changed since you saw it. Look at it again, then repeat the request": (
        "The preview has changed since you saw it. Look at it again, then confirm"
    ),
    "Give exactly one of: an amount, lines, or all: true for the whole open amount": (
        "Choose only one: lines, an amount, or everything that is left"
    ),
    "This Idempotency-Key was already used for another request. Send a new key": (
        "This form was already sent with other entries. Open the page again"
    ),
    "Too many calls within a minute. Wait as long as Retry-After says": "Too many requests within a minute. Wait a minute",
    # Details.
    "acct_no {account_no}": "account {account_no}",
    "account_no {account_no}": "account {account_no}",
    "acct_contact_no {number} is not on account {account_no}": "contact {number} is not on account {account_no}",
    "payment_method_no {number} is not on account {account_no}": "payment method {number} is not on account {account_no}",
    "plan_instance_no {number} is not a plan of the account": "plan {number} is not on the account",
    "invoice_no {invoice_no} has no open balance": "invoice {invoice_no} has no open balance",
    "invoice_no {invoice_no} of account {account_no} has no open balance": (
        "invoice {invoice_no} of account {account_no} has no open balance"
    ),
    "give credit_to keep_as_credit, then refund the payment": (
        "keep the payments that are freed as credit, then refund the payment"
    ),
    "rebill with collect (do_collect) false, or ask who may collect": "choose not to collect, or ask a person who may collect",
    "a {model} price has a rate in each band; leave rate_per_unit out": (
        "a {model} price has a price in each band; leave the price of one unit empty"
    ),
    "end this price by valid_to, and add another one": "give this price a last day, and add another one",
    "tax rate {number} is on document {invoice_no}; end it by valid_to": (
        "tax rate {number} is on document {invoice_no}; give it a last day"
    ),
    "alt_bill_day is not allowed with invoice_mode 1": "the bill day cannot be changed with this kind of invoice",
    "a final invoice bills what is left; leave invoice_mode and alt_bill_day out": (
        "a final invoice bills what is left; its bill day cannot be changed"
    ),
    "line {line_no} is not on the invoice, so it is added and needs a service; give its service_no": (
        "line {line_no} is added and needs a service; choose one"
    ),
    "order {client_order_id} of the account has other values; give another client_order_id": (
        "order {client_order_id} of the account has other values; give another order id"
    ),
    "record_id {record_id} was loaded with other values": "record {record_id} was loaded with other values",
    "you are not assigned to client_no {client_no}": "you are not assigned to client {client_no}",
    "A direct debit in a German electronic invoice needs creditor_id in the client's settings.": (
        "A direct debit in a German electronic invoice needs the creditor identifier. Enter it in the settings."
    ),
    "What 1 unit of a document's currency is in the VAT currency: EUR 11.4523, USD 10.1. Kept on each document when it is "
    "made.": (
        "What 1 unit of a document's currency is in the VAT currency, one currency on each line: EUR 11.4523. Kept on each "
        "document when it is made."
    ),
    "The VAT must also be given in {currency}, and no exchange rate of {own} is known. Enter it in tax_currency_rates of the "
    "client's settings.": (
        "The VAT must also be given in {currency}, and no exchange rate of {own} is known. Enter it in the settings."
    ),
    "{email} is not a full e-mail address. Correct contact_email in the client's settings.": (
        "{email} is not a full e-mail address. Correct the contact's e-mail address in the settings."
    ),
    "{phone} has fewer than three digits. Correct contact_phone in the client's settings.": (
        "{phone} has fewer than three digits. Correct the contact's telephone number in the settings."
    ),
    "{scheme} is not a scheme of electronic addresses. Correct electronic_scheme.": (
        "{scheme} is not a scheme of electronic addresses. Correct the scheme of the electronic address."
    ),
    "lines: line {line_no} is neither a charge nor a tax": "line {line_no} is neither a charge nor a tax",
    "lines: only {left} can still be credited of line {line_no}": "only {left} can still be credited of line {line_no}",
    # Help texts of settings.
    "The command discard_stale discards invoices that are pending for more than this number of days. Empty: never.": (
        "Invoices that are pending for more than this number of days are discarded by a daily task. Empty: never."
    ),
    "Four eyes: whether another person must approve an invoice. Where it applies, invoices are generated as pending.": (
        "Whether an invoice is approved by another person than the one who generated it. If so, invoices are "
        "generated as pending."
    ),
    "For 'above an amount': the total in the invoice's currency above which another person must approve.": (
        "If another person approves only above an amount: that amount, in the invoice's currency."
    ),
    "Acts that need four eyes. A selected act is pending until another person approves it.": (
        "A selected act is pending until another person approves it."
    ),
    "Time zone that decides the client's date, and so when an account is due.": (
        "The time zone of the company. It decides which day is today, and so when an account is due."
    ),
    (
        "Contact roles that decide the tax address. The first contact of the account with one of these "
        "roles, in this order, is used."
    ): "Whose address decides the tax: the first contact of the account with one of these roles, in this order.",
    "Tax rounding: once per tax rate over the document (EN 16931), or on each line.": (
        "Whether tax is rounded once for each tax rate over the whole document, as electronic invoices need "
        "it, or on each line."
    ),
    "The tax engine that quotes this client's invoices: a name in the TAX_ENGINES setting.": (
        "The program that calculates the tax. An administrator of the server can add others."
    ),
    "The payment gateway that collects for this client: a name in the GATEWAYS setting.": (
        "The payment service that collects. An administrator of the server can add others."
    ),
    "The open amount of an invoice is collected when the invoice is issued (Auto-Collect On Pending Invoice Approval).": (
        "The open amount of an invoice is collected when the invoice is issued."
    ),
    "The open amount of a rebill is collected when the rebill is issued (Autocollect on Rebill).": (
        "The open amount of a rebill is collected when the rebill is issued."
    ),
    (
        "A rebill has the due date of its original (Use Original Invoice Due Date for Rebill). If not, its "
        "due date follows from its own payment terms."
    ): "Yes: a rebill has the due date of its original. No: its due date follows from its own payment terms.",
    (
        "Lines that a rebill request does not list are carried onto the rebill. If not, they are credited "
        "and left out, as in Aria."
    ): (
        "Only for rebills that programs make. Yes: lines that the program does not name stay on the rebill. "
        "No: they are credited and left out."
    ),
    (
        "Where payments go that a credit memo, void or rebill frees, if the act does not say it. Empty: they "
        "pay the oldest open invoices, and after a void they are kept as credit."
    ): (
        "Where payments go that a credit memo, void or rebill frees, unless it is chosen with it. Empty: "
        "they pay the oldest open invoices, and after a void they are kept as credit."
    ),
    "Number of days for which the log of API calls is kept. Empty: the setting CALL_LOG_DAYS of the server.": (
        "Number of days for which the log of the calls of programs is kept. Empty: as the server is set up."
    ),
    "A failed call also uses up its client_receipt_id (NEVER_ALLOW_USED_RECEIPT_ID).": (
        "Yes: a program cannot send a failed call again with the same receipt id. No: it can."
    ),
}
