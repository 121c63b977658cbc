"""How often the service is to call itself; what became of those calls the database tells (`questions`)."""

from prometheus_client import CollectorRegistry, Gauge

from metrics.observe import PREFIX


class SyntheticSchedule:
    """What the settings say, so that an alert knows when silence is none."""

    def __init__(self, registry: CollectorRegistry, every_seconds: float) -> None:
        Gauge(
            "synthetic_every_seconds",
            "How often a synthetic call is to be made; 0: only when somebody asks.",
            namespace=PREFIX,
            registry=registry,
        ).set(every_seconds)
