"""The shop as people and programs see it: pages, JSON, orders."""
