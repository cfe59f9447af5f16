"""Rules of how the application is reached."""

from collections.abc import Iterator

from rescan.rules.formats import has_form, is_cidr
from rescan.rules.model import Breach
from rescan.settings import Environment, PostgreSql

_PORTS = range(1, 65536)


def service_port_exists(environment: Environment) -> Iterator[Breach]:
    """Ports are numbers from 1 to 65535."""
    ports = {"service.port": environment.service.port, "workload.container_port": environment.workload.container_port}
    if environment.network_policy:
        ports["network_policy.database_port"] = environment.network_policy.database_port
    for setting, port in ports.items():
        if port not in _PORTS:
            yield Breach(setting, port, f"set it to a port from {_PORTS.start} to {_PORTS.stop - 1}")


def ingress_can_be_served(environment: Environment) -> Iterator[Breach]:
    """Host, controller, issuer and certificate have names that exist."""
    ingress = environment.ingress
    if ingress is None:
        return
    texts = {
        "host": ("host name", ingress.host),
        "class_name": ("object name", ingress.class_name),
        "cluster_issuer": ("object name", ingress.cluster_issuer),
        "tls_secret": ("object name", ingress.tls_secret),
    }
    for setting, (form, text) in texts.items():
        if not has_form(form, text):
            yield Breach(f"ingress.{setting}", text, f"write it in the form of a {form}")


def network_policy_lets_the_application_work(environment: Environment) -> Iterator[Breach]:
    """Denying everything includes the database, unless it is said where that is."""
    policy = environment.network_policy
    if policy is None:
        return
    for place, namespace in enumerate(policy.from_namespaces):
        if not has_form("DNS label", namespace):
            yield Breach(f"network_policy.from_namespaces[{place}]", namespace, "write the name of a namespace")
    cidr = policy.database_cidr
    if cidr is None and isinstance(environment.configuration.database, PostgreSql):
        yield Breach("network_policy.database_cidr", cidr, "name the addresses of PostgreSQL, such as 10.1.2.3/32")
    if cidr is not None and not is_cidr(cidr):
        yield Breach("network_policy.database_cidr", cidr, "write a range of addresses, such as 10.1.2.3/32")
