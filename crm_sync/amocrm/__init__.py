"""amoCRM (Kommo): its adapter, what speaks with it, and its words."""
