"""The command line: what each command is called and takes. What it does is in `service.commands`."""
