"""The ledger, and what is read from it: open amounts, balances, receivables and payments."""
