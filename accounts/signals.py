"""What other apps learn of accounts. Imports go one way, so accounts tells and does not call."""

from django.dispatch import Signal

plans_changed = Signal()
"""Sent with `account_no`, under the account's lock, when its plan instances have changed."""
