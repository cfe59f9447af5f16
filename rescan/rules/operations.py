"""Rules of what operators look after: network and certificates."""

from collections.abc import Iterator

from rescan.rules.model import Breach
from rescan.settings import Environment, PostgreSql
from rescan.variables import secret_variables


def certificate_has_a_secret_of_its_own(environment: Environment) -> Iterator[Breach]:
    """cert-manager would replace the content of any other Secret."""
    ingress = environment.ingress
    taken = {*secret_variables(environment), environment.drift and environment.drift.git_secret}
    if ingress and ingress.tls_secret and ingress.tls_secret in taken:
        yield Breach("ingress.tls_secret", ingress.tls_secret, "choose another name: that Secret holds other values")


def network_policy_lets_the_application_work(environment: Environment) -> Iterator[Breach]:
    """Denying everything includes the database, unless it is said where that is."""
    policy = environment.network_policy
    if policy is None or not isinstance(environment.configuration.database, PostgreSql):
        return
    if policy.database_cidr is None and policy.database_namespace is None:
        fix = "name the addresses of PostgreSQL, such as 10.1.2.3/32, or set database_namespace"
        yield Breach("network_policy.database_cidr", None, fix)
