"""What the shop sells: products by category, by id and by search."""
