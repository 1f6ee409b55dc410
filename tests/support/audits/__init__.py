"""Data for tests of the audits, planted damage, and the expected findings."""
