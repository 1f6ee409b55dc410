"""What happens when a document is issued, and after that."""
