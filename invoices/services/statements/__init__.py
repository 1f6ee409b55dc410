"""Send documents to customers."""
