"""Requests that are sent twice and do their work once: keys, records, the first answer."""
