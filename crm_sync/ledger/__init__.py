"""The ledger: what every connected CRM is owed, told once and in order, and proven afterwards."""
