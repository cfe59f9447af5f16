"""Rules of what operators look after: namespaces, Secrets, network and syncers."""

from collections.abc import Iterator

from rescan import names
from rescan.rules.model import Breach
from rescan.settings import Environment, PostgreSql, ServiceType
from rescan.variables import secret_variables


def namespace_is_no_operators(environment: Environment) -> Iterator[Breach]:
    """The namespace admits restricted pods only, and may deny all traffic: no operator could run there."""
    gitops, policy = environment.gitops, environment.network_policy
    operators = {
        "Argo CD": gitops.argocd.namespace,
        "Flux": gitops.flux.namespace,
        "the cluster's DNS": policy and policy.dns_namespace,
    }
    for operator, namespace in operators.items():
        if environment.namespace == namespace:
            yield Breach("namespace", namespace, f"choose another: that one is for {operator}")


def each_secret_has_one_purpose(environment: Environment) -> Iterator[Breach]:
    """cert-manager would replace the content of another Secret, and no pod needs the keys that another reads."""
    drift, ingress = environment.drift, environment.ingress
    named = {
        "pods.pull_secrets": environment.pods.pull_secrets,
        "drift.git_secret": (drift.git_secret,) if drift else (),
        "ingress.tls_secret": (ingress.tls_secret,) if ingress else (),
    }
    taken: set[str | None] = {*secret_variables(environment)}
    for setting, secrets in named.items():
        for secret in secrets:
            if secret in taken:
                yield Breach(setting, secret, "choose another name: that Secret holds other values")
        taken.update(secret for secret in secrets if secret)


def network_policy_lets_the_application_work(environment: Environment) -> Iterator[Breach]:
    """Denying everything includes the database and all who ask the application, unless it is said where they are."""
    policy = environment.network_policy
    if policy is None:
        return
    on_server = isinstance(environment.configuration.database, PostgreSql)
    if on_server and policy.database_cidr is None and policy.database_namespace is None:
        fix = "name the addresses of PostgreSQL, such as 10.1.2.3/32, or set database_namespace"
        yield Breach("network_policy.database_cidr", None, fix)
    if policy.from_namespaces or environment.service.type is ServiceType.LOAD_BALANCER:
        return
    fixes = []
    if environment.monitoring:
        # The address of a pod changes, and not every network plugin matches pods by address.
        fixes.append("name the namespace of Prometheus")
    if environment.ingress and not policy.from_cidrs:
        addresses = "or the addresses of its load balancer in network_policy.from_cidrs"
        fixes.append(f"name the namespace of the Ingress controller, {addresses}")
    if fixes:
        yield Breach("network_policy.from_namespaces", policy.from_namespaces, "; ".join(fixes))


def drift_job_can_clone(environment: Environment) -> Iterator[Breach]:
    """Git asks for a key when it connects by ssh."""
    drift, url = environment.drift, environment.gitops.repository_url
    if drift and drift.git_secret is None and url.startswith("ssh:"):
        yield Breach("drift.git_secret", None, "name a Secret with `ssh` and `known_hosts`, or clone by https")


def flux_waits_for_others(environment: Environment) -> Iterator[Breach]:
    """A Kustomization that depends on itself is never ready."""
    own = names.hand_over(environment)
    if own in environment.gitops.flux.depends_on:
        yield Breach("gitops.flux.depends_on", own, "leave it out: it is the Kustomization of this environment")
