"""The promises Switchhook keeps, in folders named for what the tests touch."""
