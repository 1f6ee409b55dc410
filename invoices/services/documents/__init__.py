"""What every operation on documents needs: storing rows, numbers, rights, batches."""
