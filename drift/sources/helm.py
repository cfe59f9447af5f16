"""Renders a Helm chart with ``helm template``, for the version and the APIs of the cluster.

A chart may generate random values, such as passwords, or use a clock. Such a chart is rendered twice, with a clock at
another second and on another date. A value that differs between the two is not compared.
https://helm.sh/docs/chart_template_guide/function_list/
"""

import gzip
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from time import sleep
from typing import IO, Final, cast

from drift.documents.files import mode_of, read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError, UsageError
from drift.kube.resources import Resources
from drift.objects import Incomparable, Json, Manifest, Object, Source, as_object, at
from drift.sources.kustomizations import CHART
from drift.sources.load import load_documents
from drift.sources.programs import Runner
from drift.sources.template_lines import object_line

RANDOM: Final = Incomparable("the chart renders another value each time")
_SOURCE: Final = re.compile(r"^# Source: (.+?)\s*$", re.MULTILINE)
#: Time zones that never have the same date.
_WEST: Final = "Etc/GMT+12"
_EAST: Final = "Etc/GMT-14"
#: In seconds.
_ANOTHER_SECOND: Final = 1.1
_MISSING_DEPENDENCIES: Final = re.compile(r"missing in charts/ directory: (.+)")
#: Linux limits one argument to 128 KiB, which the APIs of a cluster with many CRDs exceed.
_APIS_PER_FLAG: Final = 200
#: The most that an archive may unpack to; Helm refuses more, too.
_MAX_UNPACKED_BYTES: Final = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in a folder or an archive.

    Attributes:
        path: The folder or the ``.tgz`` file.
        name: From its Chart.yaml.
        version: From its Chart.yaml.
    """

    path: Path
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Installation:
    """How a chart is installed: what ``helm template`` needs besides the chart.

    Attributes:
        release: The name of the release.
        namespace: Its namespace.
        values: Values files, in the order in which Helm merges them.
        set_values: ``KEY=VALUE`` as with ``helm --set``.
        kube_version: The version of the cluster, for example ``v1.36.3``; None for Helm's own default.
        api_versions: The APIs of the cluster: ``GROUP/VERSION`` and ``GROUP/VERSION/KIND``.
        flags: Further flags of ``helm template``.
        has_crds: Whether the CRDs of the chart are installed.
        has_hooks: Whether the hooks of the chart are rendered like other objects, as Argo CD does.
    """

    release: str
    namespace: str
    values: tuple[str, ...] = ()
    set_values: tuple[str, ...] = ()
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    has_crds: bool = True
    has_hooks: bool = False


def read_chart(path: Path) -> Chart:
    """Reads the name and the version of a chart.

    Raises:
        SourceError: It has no valid Chart.yaml.
    """
    try:
        text = read_file(path / CHART) if path.is_dir() else _chart_in_archive(path)
        documents = list(read_documents(text, str(path)))
    except OSError as error:
        raise SourceError(f"{CHART} cannot be read: {error.strerror or error}") from None
    except _ArchiveError:
        raise SourceError(
            f"not a chart archive, damaged, or larger than {_MAX_UNPACKED_BYTES // 1024 // 1024} MiB when unpacked; "
            "`helm package` makes a new one"
        ) from None
    except DriftError as error:
        raise SourceError(f"{CHART} cannot be read: {error}") from None
    fields = as_object(documents[0].value) if documents else {}
    name, version = fields.get("name"), fields.get("version")
    if not isinstance(name, str) or not name:
        raise SourceError(f"its {CHART} has no name")
    return Chart(path, name, str(version))


def _chart_in_archive(file: Path) -> bytes:
    for member, content in _members(file):
        if member.isfile() and member.name.removeprefix("./").count("/") == 1 and member.name.endswith(f"/{CHART}"):
            return content
    return b""


class _ArchiveError(Exception):
    """A file is not a chart archive, is damaged, or unpacks to more than Helm accepts."""


class _Bounded:
    """A stream that fails after a number of bytes."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise _ArchiveError
        return content


def _members(file: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yields what is in a chart archive, with the content of files.

    Raises:
        OSError: The archive cannot be opened.
        _ArchiveError: It is not a gzip file of a chart, is damaged, or too large.
    """
    with file.open("rb") as packed, gzip.open(packed) as unpacked:
        stream = cast("IO[bytes]", _Bounded(cast("IO[bytes]", unpacked), _MAX_UNPACKED_BYTES))
        try:
            # As a stream, because seeking unpacks what is skipped.
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    yield member, b"" if content is None else content.read()
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError):
            raise _ArchiveError from None


def api_versions(resources: Resources) -> tuple[str, ...]:
    """Returns the APIs of a cluster, for ``.Capabilities.APIVersions`` of a chart."""
    return tuple(
        sorted({name for kind in resources.all() for name in (kind.api_version, f"{kind.api_version}/{kind.kind}")})
    )


def render_chart(
    chart: Chart, installation: Installation, shown: str, runner: Runner
) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Renders a chart.

    Args:
        chart: The chart.
        installation: How it is installed.
        shown: The chart as the user named it, for the files of the manifests.
        runner: Runs programs.

    Returns:
        The manifests, without hooks, and remarks, a sentence each.

    Raises:
        SourceError: Helm is not installed or fails.
    """
    first, *others = _renderings(chart, installation, runner)
    manifests = _read(first, chart, installation.namespace, shown)
    if others in ([], [first]):
        return manifests, ()
    return _mark_random(manifests, _read(others[0], chart, installation.namespace, shown))


def _renderings(chart: Chart, installation: Installation, runner: Runner) -> Sequence[bytes]:
    """Returns what Helm prints; twice if a second rendering may differ."""
    template = partial(_template, chart, installation, runner)
    match _variation(chart, installation):
        case Variation.NONE:
            return [template()]
        case Variation.RANDOM:
            return runner.run_all([template, template])
        case Variation.CLOCK:
            first = template(zone=_WEST)
            sleep(_ANOTHER_SECOND)
            return [first, template(zone=_EAST)]


def _variation(chart: Chart, installation: Installation) -> "Variation":
    for file in installation.values:
        try:
            mode = mode_of(Path(file))
        except OSError as error:
            raise UsageError(f"--values {file}: cannot be read: {error.strerror}") from None
        if mode is None or not stat.S_ISREG(mode):
            raise UsageError(f"--values {file}: no such file")
    files = (Path(file).read_bytes() for file in installation.values)
    words = (word.encode() for word in (*installation.set_values, *installation.flags))
    return variation_of(chart.path, chain(files, words))


def _template(chart: Chart, installation: Installation, runner: Runner, zone: str | None = None) -> bytes:
    helm = runner.find("helm")
    if helm is None:
        raise SourceError(
            "needs helm, which is not on PATH; install it, or pipe the rendered manifests from elsewhere: "
            f"helm template {installation.release} {chart.path} | drift report -"
        )
    flags = [] if installation.has_hooks else ["--no-hooks"]
    flags += ["--include-crds"] if installation.has_crds else []
    flags += ["--namespace", installation.namespace]
    flags += [] if installation.kube_version is None else ["--kube-version", installation.kube_version]
    for begin in range(0, len(installation.api_versions), _APIS_PER_FLAG):
        flags += ["--api-versions", ",".join(installation.api_versions[begin : begin + _APIS_PER_FLAG])]
    flags += [part for file in installation.values for part in ("--values", file)]
    flags += [part for value in installation.set_values for part in ("--set", value)]
    flags += installation.flags
    try:
        return runner.run(helm, ["template", installation.release, str(chart.path.resolve()), *flags], zone=zone)
    except SourceError as error:
        missing = _MISSING_DEPENDENCIES.search(str(error))
        if missing is None:
            raise
        raise SourceError(
            f"the charts that it depends on are missing ({missing[1]}); run: helm dependency build {chart.path}"
        ) from None


def _read(output: bytes, chart: Chart, namespace: str, shown: str) -> tuple[Manifest, ...]:
    try:
        return read_templates(output, namespace, partial(_place, chart.path, shown))
    except DriftError as error:
        raise SourceError(f"helm printed something that is not a manifest: {error}") from None


def read_templates(
    output: bytes, namespace: str, source: Callable[[str, Object], Source | None]
) -> tuple[Manifest, ...]:
    """Reads the output of ``helm template``, or the manifest that Helm stores in a release.

    Args:
        output: YAML documents, each with a comment that names its template.
        namespace: The namespace of the release, for objects that name none.
        source: Returns the place of an object. Called with the template, as in ``CHART/templates/FILE``.

    Raises:
        ManifestError: A document is not a manifest. The message quotes no value.
    """
    lines = output.decode("utf-8", "replace").splitlines()
    templates: list[str] = []
    template = ""
    for line in lines:
        if line.startswith("---"):
            template = ""
        elif (found := _SOURCE.match(line)) and not template:
            template = found[1]
        templates.append(template)
    manifests: list[Manifest] = []
    for document in read_documents(output, "helm"):
        if document.value is None:
            continue
        template = templates[document.line - 1] if document.line <= len(templates) else ""
        loaded = load_documents([(template or "helm", [document])])
        manifests += [
            replace(
                manifest,
                namespace=manifest.namespace or namespace,
                source=source(template, manifest.body),
                is_template=True,
            )
            for manifest in loaded.manifests
        ]
    return tuple(manifests)


def _place(chart: Path, shown: str, template: str, body: Object) -> Source | None:
    """Returns the place of an object in a template of a chart; None if the chart has no such file."""
    inside = template.partition("/")[2]
    if not inside:
        return None
    if chart.is_file():
        return Source(shown, 1, 1)
    try:
        text = read_file(chart / inside)
    except OSError:
        # A template of a packed dependency.
        return Source(f"{shown}/{CHART}", 1, 1)
    line = object_line(text, str(body.get("kind")), str(at(body, "metadata", "name")))
    return Source(f"{shown}/{inside}", 1, line or 1)


# -- random values


def _mark_random(first: Sequence[Manifest], second: Sequence[Manifest]) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Returns manifests with `RANDOM` for each value that differs in a second rendering, and remarks."""
    others = {manifest.key: manifest for manifest in second}
    kept: list[Manifest] = []
    notes: list[str] = []
    for manifest in first:
        other = others.get(manifest.key)
        if other is None:
            named = f"{manifest.place}: {manifest.kind}"
            notes.append(f"{named} is not compared: its chart gives it another name each time")
        else:
            kept.append(replace(manifest, content=_common(manifest.body, other.body)))
    return tuple(kept), tuple(notes)


def fill_random(manifests: Sequence[Manifest], release: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Returns the manifests of a chart with the random values of its installed release, where they are known."""
    installed = {manifest.key: manifest.body for manifest in release}
    return tuple(
        replace(manifest, content=_filled(manifest.body, installed.get(manifest.key))) for manifest in manifests
    )


def _common(first: Json, second: Json) -> Json:
    """Returns the first value with `RANDOM` in place of each part that differs in the second one."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return {name: _common(value, second[name]) for name, value in first.items()}
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [_common(left, right) for left, right in zip(first, second, strict=True)]
    return first if first == second else RANDOM


def _filled(value: Json, installed: Json) -> Json:
    if value == RANDOM:
        return RANDOM if installed is None else installed
    if isinstance(value, dict):
        known: Mapping[str, Json] = as_object(installed)
        return {name: _filled(part, known.get(name)) for name, part in value.items()}
    if isinstance(value, list):
        items = installed if isinstance(installed, list) and len(installed) == len(value) else [None] * len(value)
        return [_filled(part, item) for part, item in zip(value, items, strict=True)]
    return value


# -- charts that may render other values the next time

_ACTION: Final = re.compile(rb"\{\{.*?\}\}", re.DOTALL)
# A match in a comment or a name only costs a second rendering.
_RANDOM: Final = re.compile(
    rb"""(?<![.\w])(?:
        rand[A-Z]\w* | shuffle | uuidv4 | gen[A-Z]\w* | htpasswd | bcrypt | encryptAES | getHostByName |
        keys | values  # In the order of a Go map, which is random.
    )\b""",
    re.VERBOSE,
)
_CLOCK: Final = re.compile(rb"(?<![.\w])(?:now|ago|date\w*|htmlDate\w*|unixEpoch)\b")
_CRDS: Final = "crds"
_ARCHIVES: Final = (".tgz", ".tar.gz")


class Variation(Enum):
    """Why a chart may render other values the next time."""

    NONE = auto()
    RANDOM = auto()
    CLOCK = auto()


def variation_of(chart: Path, given: Iterable[bytes]) -> Variation:
    """Returns why a chart may render other values the next time; the clock if it has both reasons.

    Args:
        chart: Its folder or archive.
        given: Its values, which may contain templates.
    """
    found = Variation.NONE
    try:
        for text in chain(given, _texts(chart)):
            for action in _ACTION.finditer(text):
                if _CLOCK.search(action[0]):
                    return Variation.CLOCK
                if _RANDOM.search(action[0]):
                    found = Variation.RANDOM
    except (OSError, RecursionError, _ArchiveError):
        # Helm will say what is wrong.
        return Variation.RANDOM
    return found


def _texts(path: Path) -> Iterator[bytes]:
    """Yields the files of a chart and of the charts in it, except CRDs, which are not templates."""
    if path.is_file():
        yield from _texts_of_archive(path)
        return
    for file in sorted(path.rglob("*")):
        if file.is_symlink():
            raise OSError("a link, whose target Helm would read")
        if not file.is_file() or _CRDS in file.relative_to(path).parts:
            continue
        if file.name.endswith(_ARCHIVES):
            yield from _texts_of_archive(file)
        else:
            yield read_file(file)


def _texts_of_archive(file: Path) -> Iterator[bytes]:
    for member, content in _members(file):
        if member.name.endswith(_ARCHIVES) or member.issym() or member.islnk():
            raise OSError("an archive or a link in an archive")
        if _CRDS not in PurePosixPath(member.name).parts:
            yield content
