"""What all services on documents use: storing rows, numbers, rights, batches."""
