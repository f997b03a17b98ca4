"""Architecture search with a self-supervised proxy (S4)."""
