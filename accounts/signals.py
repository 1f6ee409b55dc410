"""Signals of accounts for other apps. Imports go one way, so accounts cannot call them."""

from django.dispatch import Signal

plans_changed = Signal()
"""Sent with `account_no` when plan instances of the account have changed. The account is locked."""
