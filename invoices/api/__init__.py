"""The REST API of documents, money and what is billed."""
