"""Campaigns: one correction of many issued documents, previewed, approved by another person, and then carried out."""
