"""How often requests may arrive: several limits at once, in memory or in a store for all."""
