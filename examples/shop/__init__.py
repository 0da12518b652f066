"""The Quayside Store: a small shop of four services that shows how a system is declared."""
