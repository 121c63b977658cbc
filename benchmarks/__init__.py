"""Measurements for people, printed side by side in one run: `make bench`. Ratios count; machines are noisy."""
