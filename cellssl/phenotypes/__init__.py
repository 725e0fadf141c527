"""phenotypes."""
