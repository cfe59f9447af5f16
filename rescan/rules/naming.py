"""Rules of what things are called, and of where the manifests are."""

from collections.abc import Iterator

from rescan.rules.formats import has_form
from rescan.rules.model import Breach
from rescan.settings import Environment

_RESERVED = ("argocd", "flux")
"""Folders of dist/ that are no environments."""


def names_are_valid(environment: Environment) -> Iterator[Breach]:
    """Folder, label and namespace are named by DNS labels."""
    for setting, name in {"name": environment.name, "namespace": environment.namespace}.items():
        if not has_form("DNS label", name):
            yield Breach(setting, name, "use at most 63 lower-case letters, digits and inner hyphens")
    if environment.name in _RESERVED:
        yield Breach("name", environment.name, f"choose another: dist/{environment.name}/ is for the hand-over")


def image_is_valid(environment: Environment) -> Iterator[Breach]:
    """Every image has a reference that a container runtime can read, with a tag or a digest."""
    images = {"workload.image": environment.workload.image}
    if environment.backup:
        images["backup.dump_image"] = environment.backup.dump_image
        images["backup.upload_image"] = environment.backup.upload_image
    if environment.drift:
        images["drift.image"] = environment.drift.image
        images["drift.git_sync_image"] = environment.drift.git_sync_image
    for setting, image in images.items():
        parts = {
            "registry": ("registry", image.registry),
            "repository": ("repository", image.repository),
            "tag": ("image tag", image.tag),
            "digest": ("image digest", image.digest),
        }
        for part, (form, value) in parts.items():
            if value is not None and not has_form(form, value):
                yield Breach(f"{setting}.{part}", value, f"write it in the form of a {form}")
        if image.tag is None and image.digest is None:
            yield Breach(f"{setting}.tag", None, "name a tag or a digest")


def production_runs_a_release(environment: Environment) -> Iterator[Breach]:
    """What production runs can be told from its manifest, and pulled again tomorrow."""
    image = environment.workload.image
    if not environment.production:
        return
    if image.registry is None:
        yield Breach("workload.image.registry", None, "name the registry that the cluster pulls from")
    if image.tag == "latest" and image.digest is None:
        yield Breach("workload.image.tag", image.tag, "name a release, or pin the image by digest")


def version_is_a_label(environment: Environment) -> Iterator[Breach]:
    """The version is a label of the pods."""
    version = environment.workload.version
    if not version or not has_form("label value", version):
        yield Breach(
            "workload.version", version, "use at most 63 letters, digits and inner `-`, `_` or `.`, such as v1.0.0"
        )


def hand_over_is_valid(environment: Environment) -> Iterator[Breach]:
    """Argo CD and Flux can read where the manifests are and how often to look."""
    gitops = environment.gitops
    texts = {
        "repository_url": ("repository address", gitops.repository_url),
        "branch": ("folder", gitops.branch),
        "manifests_path": ("folder", gitops.manifests_path),
        "argocd.namespace": ("DNS label", gitops.argocd.namespace),
        "argocd.server": ("HTTPS address", gitops.argocd.server),
        "flux.namespace": ("DNS label", gitops.flux.namespace),
        "flux.fetch_interval": ("duration", gitops.flux.fetch_interval),
        "flux.interval": ("duration", gitops.flux.interval),
        "flux.retry_interval": ("duration", gitops.flux.retry_interval),
        "flux.timeout": ("duration", gitops.flux.timeout),
    }
    for place, window in enumerate(gitops.argocd.sync_windows):
        texts[f"argocd.sync_windows[{place}].schedule"] = ("cron schedule", window.schedule)
        texts[f"argocd.sync_windows[{place}].duration"] = ("duration", window.duration)
    for place, name in enumerate(gitops.flux.depends_on):
        texts[f"flux.depends_on[{place}]"] = ("object name", name)
    for setting, (form, text) in texts.items():
        if not has_form(form, text):
            yield Breach(f"gitops.{setting}", text, f"write it in the form of a {form}")
    if gitops.argocd.retries < 0:
        yield Breach("gitops.argocd.retries", gitops.argocd.retries, "set it to 0 or more")
