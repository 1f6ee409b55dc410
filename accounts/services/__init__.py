"""What is done with clients, accounts, plans and prices."""

from accounts.services.accounts import lock_account as lock_account
