"""The production environment. Put your own registry and release where the examples are."""

from rescan.settings import Environment, Image, PullPolicy, Workload

ENVIRONMENT = Environment(
    name="prod",
    namespace="rescan-prod",
    workload=Workload(
        image=Image(registry="registry.example.com", tag="v1.0.0", pull_policy=PullPolicy.ALWAYS),
        version="v1.0.0",
    ),
)
