"""The ledger and what is read from it: what is open, what is owed, how it is paid."""
