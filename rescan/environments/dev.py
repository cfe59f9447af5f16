"""The development environment: a local cluster, and an image that was built on it."""

from rescan.settings import Environment, Image, PullPolicy, Workload

ENVIRONMENT = Environment(
    name="dev",
    namespace="rescan-dev",
    production=False,
    workload=Workload(image=Image(tag="latest", pull_policy=PullPolicy.IF_NOT_PRESENT)),
)
