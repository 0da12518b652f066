"""Spans: made from exchanges and events, kept by sample or at the end, sent over OTLP."""
