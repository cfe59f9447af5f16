"""Rules of what operators look after: network, certificates, alerts and the drift job."""

from collections.abc import Iterator

from rescan.formats import longest_pause
from rescan.rules.model import Breach
from rescan.settings import AccessMode, Environment, PostgreSql
from rescan.variables import secret_variables


def certificate_has_a_secret_of_its_own(environment: Environment) -> Iterator[Breach]:
    """cert-manager would replace the content of any other Secret."""
    ingress = environment.ingress
    taken = {*secret_variables(environment), environment.drift and environment.drift.git_secret}
    if ingress and ingress.tls_secret in taken:
        yield Breach("ingress.tls_secret", ingress.tls_secret, "choose another name: that Secret holds other values")


def network_policy_lets_the_application_work(environment: Environment) -> Iterator[Breach]:
    """Denying everything includes the database, unless it is said where that is."""
    policy = environment.network_policy
    if policy and policy.database_cidr is None and isinstance(environment.configuration.database, PostgreSql):
        yield Breach("network_policy.database_cidr", None, "name the addresses of PostgreSQL, such as 10.1.2.3/32")


def alerts_wait_for_the_next_run(environment: Environment) -> Iterator[Breach]:
    """An alert on a job that is late must not be raised between two runs of its schedule."""
    watched = {}
    if environment.backup:
        watched["backup.late_after"] = (environment.backup.late_after, environment.backup.schedule)
    if environment.drift:
        watched["drift.stale_after"] = (environment.drift.stale_after, environment.drift.schedule)
    for setting, (seconds, schedule) in watched.items():
        pause = longest_pause(schedule)
        if seconds <= pause:
            yield Breach(setting, seconds, f"set it to more than {pause:.0f}, the longest pause of {schedule!r}")


def drift_volume_can_be_written(environment: Environment) -> Iterator[Breach]:
    """The history is written, and with several shards from several nodes."""
    job = environment.drift
    if job is None:
        return
    if job.shards > 1 and job.access_mode is not AccessMode.READ_WRITE_MANY:
        many = AccessMode.READ_WRITE_MANY.value
        yield Breach("drift.access_mode", job.access_mode.value, f"set it to {many}, or drift.shards to 1")
    elif job.access_mode is AccessMode.READ_ONLY_MANY:
        yield Breach("drift.access_mode", job.access_mode.value, f"set it to {AccessMode.READ_WRITE_ONCE.value}")
