"""Figures as a scraper gets them: which format, the text itself, the endpoint."""
