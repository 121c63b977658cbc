"""What the commands of the command line do: each opens the database, asks or changes one thing, and closes it."""
