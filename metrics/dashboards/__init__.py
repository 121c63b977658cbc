"""The pages of Grafana as code: a module a page, made of `panels`, written beside it by `make dashboards`.

Operators take the JSON files as they are; Grafana's SDK is needed only here, so the service imports nothing of this.
A panel's number comes from its title: alerts link to it.
"""
