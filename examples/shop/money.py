"""Money: whole cents everywhere, euros only for eyes."""


def euros(cents: int) -> str:
    """Return ``cents`` (not negative) as people read them: ``€1,249.00``."""
    return f"€{cents // 100:,}.{cents % 100:02d}"
