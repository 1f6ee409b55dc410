"""What pages and lists show of accounts and documents."""
