"""What an account's next document would be: reading the facts, tax, and plans that write nothing."""
