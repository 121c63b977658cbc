"""Odoo: its adapter, what speaks with it, the records it keeps, and its words."""
