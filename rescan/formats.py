"""The values that a setting may have beyond its Python type; changes when Kubernetes or an operator accepts others.

Each type is a text or a number with its format attached, for annotations: `schedule: CronSchedule`. `rescan.rules`
checks every setting by them. Libraries judge where a format has one that is maintained: cronsim for schedules, tzdata
for time zones, ipaddress for networks, urllib and uuid. Names have the patterns of the Kubernetes API.
"""

import ipaddress
import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from cronsim import CronSim, CronSimError

from rescan import quantity

INT32 = 2**31 - 1
INT64 = 2**63 - 1


@dataclass(frozen=True)
class Format:
    """The values that a setting may have, and what to do about another one."""

    name: str
    accepts: Callable[[Any], bool]
    fix: str


def _between(least: int, most: int = INT32) -> Format:
    fix = f"set it to {least} or more" if most == INT32 else f"set it to a number from {least} to {most}"
    return Format(f"number from {least} to {most}", lambda number: least <= number <= most, fix)


def _pattern(pattern: str, longest: int = INT32) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: len(text) <= longest and compiled.fullmatch(text) is not None


# Numbers. Kubernetes keeps most of them in 32 bits.
AtLeastZero = Annotated[int, _between(0)]
AtLeastOne = Annotated[int, _between(1)]
Seconds = Annotated[int, _between(1)]
StartingDeadline = Annotated[int, _between(10)]
"""Seconds. The CronJob controller looks every ten seconds, and skips a run that may start for less time than that."""
Port = Annotated[int, _between(1, 65_535)]
UnprivilegedPort = Annotated[int, _between(1024, 65_535)]
"""A port that a process without root's privileges may listen on."""
Shards = Annotated[int, _between(1, 1000)]
Percent = Annotated[int, _between(1, 1000)]
Bytes = Annotated[int, _between(1, INT64)]


# Names in Kubernetes.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_WORD = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_is_subdomain = _pattern(rf"{_NAME}(?:\.{_NAME})*", 253)
_is_host_name = _pattern(rf"{_LABEL}(?:\.{_LABEL})*", 253)
_is_label_name = _pattern(_WORD)


def _is_label_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    return _is_label_name(name) and (not slash or _is_subdomain(prefix))


_label_fix = "use at most 63 lower-case letters, digits and inner hyphens"
DnsLabel = Annotated[str, Format("DNS label", _pattern(_LABEL), _label_fix)]
ShortName = Annotated[str, Format("short name", _pattern(_LABEL, 26), _label_fix.replace("63", "26"))]
"""A DNS label that leaves room for what is put before it: Grafana's names of dashboards have 40 characters."""
OwnNamespace = Annotated[
    str,
    Format(
        "namespace of its own",
        lambda text: _pattern(_LABEL)(text) and text != "default" and not text.startswith("kube-"),
        f"{_label_fix}; `default` and `kube-` are for Kubernetes itself",
    ),
]
ServiceName = Annotated[
    str, Format("Service name", _pattern(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"), f"{_label_fix}, and a letter first")
]
ObjectName = Annotated[
    str, Format("object name", _is_subdomain, "write the name of an object: lower-case letters, digits, `-` and `.`")
]
CronJobName = Annotated[
    str, Format("CronJob name", _pattern(_LABEL, 52), "use at most 52 lower-case letters, digits and inner hyphens")
]
LabelKey = Annotated[str, Format("label key", _is_label_key, "write a label key, such as release or example.com/team")]
AnnotationKey = Annotated[
    str,
    Format("annotation key", lambda text: _is_label_key(text.lower()), "write a key such as example.com/owner"),
]
LabelValue = Annotated[
    str,
    Format(
        "label value",
        lambda text: not text or _is_label_name(text),
        "use at most 63 letters, digits and inner `-`, `_` or `.`",
    ),
]
Version = Annotated[
    str,
    Format("version", _is_label_name, "use at most 63 letters, digits and inner `-`, `_` or `.`, such as v1.0.0"),
]
VariableName = Annotated[
    str,
    Format("variable name", _pattern(r"[A-Za-z_][A-Za-z0-9_]*", 253), "use letters, digits and _, and no digit first"),
]


# Texts.
def _is_plain(text: str) -> bool:
    """Server-side apply refuses some control characters and silently changes others."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text if character not in "\n\t")


_has_credentials = re.compile(r"://[^/?#\s]*@").search
Text = Annotated[
    str,
    Format(
        "plain text",
        lambda text: _is_plain(text) and not _has_credentials(text),
        "leave out control characters, and credentials in URLs",
    ),
]
Mode = Annotated[str, Format("mode", _pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "name a mode, such as production")]


def redacted(value: object) -> object:
    """A value as a message may show it: without the credentials of URLs in it."""
    return re.sub(r"://[^/?#\s]*@", "://***@", value) if isinstance(value, str) else value


# Images, as https://github.com/distribution/reference defines them.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_is_repository = _pattern(rf"{_COMPONENT}(?:/{_COMPONENT})*", 255)


def _is_host(text: str) -> bool:
    """A DNS name that is not an IPv4 address in any notation."""
    return _is_host_name(text.lower()) and not text.rpartition(".")[2].isdigit()


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_registry(text: str) -> bool:
    """Without a dot or a port, a container runtime takes a host for a part of the repository at Docker Hub."""
    host, _, path = text.partition("/")
    name, colon, port = host.rpartition(":") if ":" in host else (host, "", "")
    if colon and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):  # noqa: PLR2004
        return False
    remote = bool(colon) or "." in name or name == "localhost"
    return remote and (_is_host(name) or _is_ip(name)) and ("/" not in text or _is_repository(path))


ImageRegistry = Annotated[
    str, Format("registry", _is_registry, "write the registry as host[:port][/path], such as registry.example.com")
]
ImageRepository = Annotated[
    str, Format("repository", _is_repository, "write the repository in lower case, such as team/rescan")
]
ImageTag = Annotated[
    str,
    Format(
        "image tag", _pattern(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"), "use letters, digits, `_`, `.` and `-`: v1.0.0"
    ),
]
ImageDigest = Annotated[
    str,
    Format(
        "image digest",
        _pattern(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"),
        "write sha256: and 64 hexadecimal digits, or sha512: and 128",
    ),
]


# Times.
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_GO_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_GO_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_LONGEST_GO_DURATION = INT64 / 1e9
_PROMETHEUS_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_PROMETHEUS_DURATION = re.compile(r"(?=.)(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?", re.ASCII)


_TERM = r"(?:[*?]|(?:\d+|[A-Za-z]{3})(?:-(?:\d+|[A-Za-z]{3}))?)(?:/\d+)?"
_TERMS = re.compile(rf"{_TERM}(?:,{_TERM})*", re.ASCII)
_SUNDAY_AS_7 = re.compile(r"(?:^|[-,])0*7(?:$|[-,/])")
_START = datetime(2024, 1, 1, tzinfo=UTC)
# Two thousand runs on February 29 would end after the last year that Python knows.
_HORIZON = _START.replace(year=2064)


def _calendar(schedule: str) -> CronSim:
    """The times of a schedule as Kubernetes reads it: it knows neither Sunday as 7 nor cronsim's L and #, but `?`.

    Raises:
        CronSimError: It is not a schedule.
    """
    fields = schedule.split()
    five = len(fields) == 5 and all(map(_TERMS.fullmatch, fields))  # noqa: PLR2004
    if not five or not schedule.isprintable() or _SUNDAY_AS_7.search(fields[4]):
        raise CronSimError(schedule)
    return CronSim(" ".join(fields).replace("?", "*"), _START)


@cache
def _is_calendar(schedule: str) -> bool:
    """Whether it is a schedule that ever comes: February 30 does not."""
    try:
        return next(_calendar(schedule), None) is not None
    except CronSimError:
        return False


def _is_cron(schedule: str) -> bool:
    every = schedule.removeprefix("@every ")
    if every != schedule:
        return (go_seconds(every) or 0) >= 60  # noqa: PLR2004  # what a CronJob can do
    return schedule in _DESCRIPTORS or _is_calendar(schedule)


@cache
def longest_pause(schedule: str) -> float:
    """Seconds between two runs of a schedule that are as far apart as any two in forty years.

    Raises:
        ValueError: It is not a schedule.
    """
    if schedule.startswith("@every "):
        return go_seconds(schedule.removeprefix("@every ")) or 0
    try:
        times = itertools.takewhile(_HORIZON.__gt__, _calendar(_DESCRIPTORS.get(schedule, schedule)))
        # Two thousand runs show a weekend even where a schedule runs every five minutes.
        runs = list(itertools.islice(times, 2000))
    except CronSimError as error:
        raise ValueError(f"{schedule!r} is not a schedule") from error
    pauses = (later - earlier for earlier, later in itertools.pairwise(runs))
    return max(pauses, default=timedelta(days=366)).total_seconds()


def go_seconds(text: str) -> float | None:
    """Returns the seconds of a duration such as `1h30m`, or None if Go cannot read it."""
    if not _GO_DURATION.fullmatch(text):
        return None
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    return sum(float(number) * _GO_UNITS[unit] for number, unit in parts)


def _is_go_duration(text: str) -> bool:
    seconds = go_seconds(text)
    return seconds is not None and 0 < seconds < _LONGEST_GO_DURATION


def _is_prometheus_duration(text: str) -> bool:
    return _PROMETHEUS_DURATION.fullmatch(text) is not None and any(digit in text for digit in "123456789")


def prometheus_seconds(text: str) -> float:
    """Returns the seconds of a Prometheus duration such as `1d12h`."""
    parts = re.findall(r"(\d+)(ms|[ywdhms])", text, re.ASCII)
    return sum(int(number) * _PROMETHEUS_UNITS[unit] for number, unit in parts)


@cache
def time_zones() -> frozenset[str]:
    """The names in the IANA database, of the locked package: those of the system differ from host to host."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


_cron_fix = "write the five fields of a schedule that comes, such as 0 3 * * *"
CronSchedule = Annotated[str, Format("cron schedule", _is_cron, f"{_cron_fix}, or @daily")]
WindowSchedule = Annotated[str, Format("schedule of a window", _is_calendar, _cron_fix)]
"""Argo CD reads no words such as `@daily`."""
TimeZone = Annotated[
    str, Format("time zone", lambda text: text in time_zones(), "name a zone of the IANA database, such as Etc/UTC")
]
Duration = Annotated[str, Format("duration", _is_go_duration, "write a duration above zero, such as 90s or 1h30m")]
PrometheusDuration = Annotated[
    str, Format("Prometheus duration", _is_prometheus_duration, "write a duration above zero, such as 30s or 1d12h")
]


# Quantities.
def _is_whole(text: str, unit: str) -> bool:
    """Whether a text is a quantity above zero, in whole units and no more than 64 bits of these can count."""
    try:
        units = quantity.parse(text) / quantity.parse(unit)
    except ValueError:
        return False
    return units.denominator == 1 and 0 < units <= INT64


Cpu = Annotated[
    str,
    Format(
        "quantity of CPU",
        # No node has ten thousand: 128Mi is meant for memory.
        lambda text: _is_whole(text, "1m") and quantity.parse(text) <= quantity.parse("10k"),
        "write CPUs, above zero and at most 10k, such as 100m",
    ),
]
Size = Annotated[
    str,
    Format(
        "quantity of bytes",
        lambda text: _is_whole(text, "1") and quantity.parse(text) >= quantity.parse("1Mi"),
        "write a whole number of bytes, 1Mi or more, such as 128Mi",
    ),
]
Surge = Annotated[
    int | str,
    Format(
        "number or percentage",
        lambda bound: 0 <= bound <= INT32 if isinstance(bound, int) else _pattern(r"[0-9]{1,9}%")(bound),
        "set it to 0 or more, or to a percentage such as 25%",
    ),
]
Unavailable = Annotated[
    int | str,
    Format(
        "number or share",
        lambda bound: 0 <= bound <= INT32 if isinstance(bound, int) else _pattern(r"(?:100|[1-9]?[0-9])%")(bound),
        "set it to 0 or more, or to a percentage up to 100%",
    ),
]


# Addresses.
def _is_cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None
    return bool(slash) and length == str(network.prefixlen) and "%" not in address and not mapped


def url(text: str, *schemes: str) -> SplitResult | None:
    """The parts of a URL with one of these schemes and a host that can exist; None for any other text."""
    if not text.isascii() or not text.isprintable() or re.search(r"[\s\\]", text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    known = parts.scheme in schemes and (_is_host(host) or _is_ip(host))
    return parts if known and port != 0 and not parts.netloc.endswith(":") and not parts.fragment else None


def _is_url(text: str, *schemes: str) -> bool:
    parts = url(text, *schemes)
    return parts is not None and "@" not in parts.netloc and not parts.query


def _is_storage(text: str) -> bool:
    """Backups leave the cluster only by https; inside of it, MinIO for example has no certificate."""
    parts = url(text, "http", "https")
    host = (parts.hostname or "") if parts else ""
    inside = "." not in host or host.endswith((".svc", ".svc.cluster.local"))
    inside = inside or (_is_ip(host) and ipaddress.ip_address(host).is_private)
    return _is_url(text, "http", "https") and (inside or text.startswith("https:"))


def _is_git_repository(text: str) -> bool:
    parts = url(text, "https", "ssh")
    if parts is None or parts.query or len(parts.path) < 2:  # noqa: PLR2004  # more than a slash
        return False
    return "@" not in parts.netloc if parts.scheme == "https" else parts.password is None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_relative(text: str) -> bool:
    parts = text.split("/")
    return all(map(_pattern(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*"), parts)) and not {".", ".."} & set(parts)


def _is_branch(text: str) -> bool:
    """The rules of `git check-ref-format --branch`."""
    parts = text.split("/")
    return (
        not re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", text)
        and not text.startswith("-")
        and not text.endswith(".")
        and text != "HEAD"
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )


def _is_bucket(text: str) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html."""
    return (
        _pattern(r"[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]")(text)
        and not re.search(r"\.\.|^xn--|^sthree-|^amzn-s3-demo-|-s3alias$|--ol-s3$", text)
        and not _is_ip(text)
    )


def _is_ingress_host(text: str) -> bool:
    return _is_host(text.removeprefix("*.")) and text == text.lower() and (text[:1] != "*" or len(text) <= 253)  # noqa: PLR2004


_https_fix = "write an address such as https://host.example.com, without credentials, query or fragment"
Cidr = Annotated[str, Format("CIDR", _is_cidr, "write a range of addresses, such as 10.1.2.3/32 or fd00::/64")]
IngressHost = Annotated[
    str, Format("host name", _is_ingress_host, "write a host name, such as rescan.example.com or *.example.com")
]
HttpsUrl = Annotated[str, Format("HTTPS URL", lambda text: _is_url(text, "https"), _https_fix)]
WebUrl = Annotated[
    str, Format("URL", lambda text: _is_url(text, "http", "https"), _https_fix.replace("https", "http[s]"))
]
StorageUrl = Annotated[
    str,
    Format(
        "URL of a storage",
        _is_storage,
        f"{_https_fix}; with http only inside the cluster, such as http://minio.storage.svc:9000",
    ),
]
GitUrl = Annotated[
    str,
    Format(
        "URL of a Git repository",
        _is_git_repository,
        "write https://host/path or ssh://git@host/path; credentials belong in a Secret",
    ),
]
GitBranch = Annotated[str, Format("branch", _is_branch, "write the name of a branch that Git accepts")]
UrlPath = Annotated[
    str, Format("URL path", _pattern(r"/[!\"$-\>@-~]*"), "write a path that begins with a slash, such as /metrics")
]
RelativePath = Annotated[
    str, Format("relative path", _is_relative, "write a path below the repository, such as deploy/dist")
]
ClusterSource = Annotated[
    str,
    Format(
        "source in a cluster",
        _pattern(r"all|[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?", 317),
        "write all, or NAMESPACE/NAME",
    ),
]
Uuid = Annotated[str, Format("UUID", _is_uuid, "write a UUID, such as 00000000-0000-0000-0000-000000000000")]
BucketName = Annotated[str, Format("bucket name", _is_bucket, "write the name of a bucket, such as rescan-backups")]
Region = Annotated[
    str, Format("region", _pattern(r"[a-z0-9]+(?:-[a-z0-9]+)*", 32), "write a region, such as us-east-1")
]
VaultEntry = Annotated[
    str,
    Format(
        "entry of a key vault",
        _pattern(r"(?:(?:secret|key|cert)/)?[0-9A-Za-z-]{1,127}"),
        "name an entry of the vault: letters, digits and hyphens",
    ),
]
