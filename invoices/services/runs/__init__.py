"""Billing runs over many accounts: which accounts, in batches, with limits, and with which results."""
