"""Plan an account's next document: read the facts, plan the lines, quote the taxes."""
