"""Every format of a setting: examples, and the API server's own judgement of thousands of values."""

import re
import subprocess
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rescan import formats, quantity
from rescan.formats import Format, longest_pause
from rescan.settings import Environment
from tests.rescan.effort import examples
from tests.rescan.server import Server
from tools.sandbox.cluster import Cluster

FORMATS: dict[str, Format] = {
    name: declared.__metadata__[0]
    for name, declared in vars(formats).items()
    if isinstance(getattr(declared, "__metadata__", [None])[0], Format)
}

EXAMPLES: dict[str, tuple[list[Any], list[Any]]] = {
    # What each format accepts, and what it refuses.
    "AtLeastZero": ([0, 2**31 - 1], [-1, 2**31]),
    "AtLeastOne": ([1, 2**31 - 1], [0, 2**31]),
    "Seconds": ([1, 90], [0, 2**31]),
    "StartingDeadline": ([10], [9]),
    "Port": ([1, 65535], [0, 65536]),
    "UnprivilegedPort": ([1024, 65535], [1023, 65536]),
    "Shards": ([1, 1000], [0, 1001]),
    "Percent": ([1, 150], [0, 1001]),
    "Bytes": ([1, 2**63 - 1], [0, 2**63]),
    "DnsLabel": (["a", "0", "a-b", "a" * 63], ["", "A", "a_b", "-a", "a-", "a.b", "a" * 64, "a\n"]),
    "ShortName": (["staging-2", "a" * 26], ["Staging", "a" * 27]),
    "OwnNamespace": (["rescan", "default-2"], ["kube-system", "kube-mine", "kube-public", "default", "rescan_dev"]),
    "ServiceName": (["a", "a1"], ["1a", "a.b", ""]),
    "ObjectName": (["a.b", "a" * 253], ["A", "a..b", "a" * 254, ".a", "a b", ".".join(["a" * 60] * 5)]),
    "CronJobName": (["a" * 52], ["a" * 53, "a.b"]),
    "LabelKey": (["release", "a.example.com/B_c"], ["", "/a", "a/", "a b", "a" * 64, "A/b", "a/b/c"]),
    "AnnotationKey": (["nginx.ingress.kubernetes.io/proxy-body-size", "A.example.com/b"], ["", "a b", "/a", "a/b/c"]),
    "LabelValue": (["", "A_b.c-d", "a" * 63], ["a b", "-a", "a" * 64]),
    "Version": (["v1.0.0"], ["", "v1+b"]),
    "VariableName": (["_A1", "a"], ["1A", "MY-FLAG", "", "A" * 254]),
    "Text": (["", "a\tb\nü"], ["a\x7f", "\x00", "a\r", "https://me:pass@example.com", "redis://:pass@cache/0"]),
    "Mode": (["production", "no"], ["", "  ", "a b", " production"]),
    "ImageRegistry": (
        ["registry.example.com", "localhost", "localhost:5000", "a.example.com/team", "10.0.0.1:5000", "ghcr.io/a/b"],
        [
            "registry..com",
            "https://a.example.com",
            "team",
            "a.example.com:0",
            "a.example.com:99999",
            "-a.com",
            "a.com/",
        ],
    ),
    "ImageRepository": (["rescan", "a/b__c/d-e.f"], ["Rescan", "a//b", "/a", "a/", "a:b", "a..b", "a" * 256]),
    "ImageTag": (["v1.0.0-rc.1", "_"], ["", "v1 0", "-v1", "a" * 129, "16/alpine"]),
    "ImageDigest": (
        ["sha256:" + "a" * 64, "sha512:" + "0" * 128],
        ["sha256:abc", "sha512:" + "0" * 64, "md5:" + "0" * 32],
    ),
    "CronSchedule": (
        ["0 3 * * *", "*/15 0-6 1,15 * SUN", "@daily", "0 3 ? * ?", "0 0 * * 1-5", "5/20 * * JAN-mar *", "@every 1h"],
        [
            *("60 3 * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 7", "0 0 * * 5-7", "0 3 * *", "daily"),
            *("0 0 30 2 *", "0 0 L * *", "0 0 * * 1#2", "0 0 * * 5L", "5-1 * * * *", "*/0 * * * *", "@reboot"),
            *("TZ=UTC 0 3 * * *", "0 0 0 * * *", "", "-1 * * * *", "@every 1s", "@every x", "٣ * * * *"),
        ],
    ),
    "WindowSchedule": (["0 16 * * 5"], ["@daily", "0 16 * * 8"]),
    "TimeZone": (
        ["Etc/UTC", "Europe/Berlin", "America/Argentina/Ushuaia"],
        ["", "Local", "Mars/Olympus", "europe/berlin", "../UTC"],
    ),
    "Duration": (["90s", "1h30m", "1.5h", "500ms"], ["", "0s", "0h0m", "1d", "90", "-1s", "1 h", "9999999h"]),
    "PrometheusDuration": (["30s", "1d12h", "1y", "500ms"], ["", "0", "0s", "1", "1m1h", "1.5h", "-1s"]),
    "Cpu": (
        ["1", "100m", "0.1", "1e1", "1k"],
        ["128Mi", "10001", "0", "-1", "0.5m", "1 core", "1E20", "", "1n", "1_0"],
    ),
    "Size": (["1Mi", "1e9", "0.5Gi", "524288000"], ["0", "1", "100m", "1TiB", "1Mi ", "10E", "NaN", "1e99", "0.3"]),
    "Surge": ([0, 3, "0%", "150%"], [-1, 2**31, "25", "x%", "-1%"]),
    "Unavailable": ([0, 3, "100%"], [-1, "101%", "25", "1.5%"]),
    "Cidr": (
        ["10.0.0.0/8", "10.1.2.3/32", "fd00::/64", "0.0.0.0/0"],
        [
            *(
                "10.0.0.1",
                "10.0.0.1/8",
                "10.0.0.0/33",
                "10.0.0.0/255.0.0.0",
                "10.0.0.0/08",
                "010.0.0.0/8",
                "fd00::1/64",
            ),
            *("fe80::%eth0/64", "::ffff:10.0.0.0/104", "example.com/8", "10.0.0.0/", ""),
        ],
    ),
    "IngressHost": (
        ["rescan.example.com", "*.example.com", "localhost"],
        ["10.0.0.1", "*", "a.*.com", "A.example.com", "https://a.com", "a..com", "a_b.com", "", "*.*.com", "1.2.3"],
    ),
    "HttpsUrl": (
        ["https://a.example.com", "https://10.0.0.1:6443/a/", "https://[fd00::1]:6443"],
        [
            *(
                "http://a.example.com",
                "https://",
                "https://a..com",
                "https://-",
                "https://a.com:99999",
                "https://a.com:0",
            ),
            *(
                "https://me:pass@a.com",
                "https://me@a.com",
                "https://a.com?b",
                "https://a.com#b",
                "https://a.com/ b",
                "a.com",
            ),
            *("https://a_b.com", "https://a.com:", "https://1.2.3", "https://ä.com", "https://[::1"),
        ],
    ),
    "WebUrl": (
        ["http://pushgateway.monitoring:9091", "https://a.com/b"],
        ["ftp://a.com", "pushgateway:9091", "http://a:b@c"],
    ),
    "StorageUrl": (
        [
            *("https://minio.example.com", "http://minio.storage.svc:9000", "http://minio", "http://10.0.0.1:9000"),
            *("http://minio.storage.svc.cluster.local:9000",),
        ],
        ["http://minio.example.com", "http://8.8.8.8", "minio.example.com", "https://a:b@minio.example.com"],
    ),
    "GitUrl": (
        ["https://git.example.com/a.git", "ssh://git@git.example.com/a.git", "ssh://git@git.example.com:2222/a"],
        [
            *("git@git.example.com:a.git", "https://git.example.com", "https://git.example.com/", "http://a.com/b"),
            *("https://token@git.example.com/a.git", "ssh://git:pass@git.example.com/a.git", "https://a.com/b?c=d"),
        ],
    ),
    "GitBranch": (
        ["main", "release/1.0", "release/#12", "a@b", "@", "ä"],
        [
            "",
            "a b",
            "a..b",
            "/a",
            "a/",
            "a//b",
            "a.lock",
            ".a",
            "a/.b",
            "-a",
            "a@{1}",
            "a~1",
            "a:b",
            "a.",
            "a\\b",
            "HEAD",
        ],
    ),
    "UrlPath": (["/", "/metrics", "/a/b%20c"], ["metrics", "", "/a b", "/a?b", "/a#b", "/ä"]),
    "RelativePath": (
        ["dist", "deploy/dist", ".github/a_b"],
        ["", "/a", "a/", "..", "../a", "a/../b", "./a", "a//b", "a b", "-a"],
    ),
    "ClusterSource": (["all", "flux-system/apps"], ["", "apps", "a/b/c", "A/b", "/a", "a/"]),
    "Uuid": (
        ["00000000-0000-0000-0000-000000000000", "12345678-1234-1234-1234-123456789ABC"],
        ["", "tenant", "{00000000-0000-0000-0000-000000000000}", "0" * 32],
    ),
    "BucketName": (
        ["backups.2026", "a-b"],
        ["My_Bucket", "ab", "a..b", "192.168.1.1", "xn--a", "a-s3alias", "-ab", "a" * 64],
    ),
    "Region": (["eu-central-1", "auto"], ["", "EU", "a b", "eu--1"]),
    "VaultEntry": (["azure-openai-api-key", "secret/a"], ["", "a_b", "a b", "a" * 128, "b/a"]),
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_accepts_and_refuses_its_examples(name: str) -> None:
    good, bad = EXAMPLES[name]

    assert [value for value in good if not FORMATS[name].accepts(value)] == []
    assert [value for value in bad if FORMATS[name].accepts(value)] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_format_of_a_text_accepts_a_line_break_at_its_end(name: str) -> None:
    good, _ = EXAMPLES[name]

    texts = [value for value in good if isinstance(value, str)]
    assert name == "Text" or not [text for text in texts if FORMATS[name].accepts(f"{text}\n")]


def leaves(declared: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The types of texts and numbers below a type, each with its place."""
    plain = typing.get_origin(declared)
    if is_dataclass(declared):
        hints = typing.get_type_hints(declared, include_extras=True)
        for field in fields(declared):
            yield from leaves(hints[field.name], f"{where}.{field.name}")
    elif plain is typing.Annotated or declared in (str, int):
        yield where, declared
    else:
        for argument in typing.get_args(declared):
            yield from leaves(argument, where)


def test_every_setting_has_a_format() -> None:
    found = dict(leaves(Environment, "environment"))

    assert len(found) > 90
    assert [where for where, declared in found.items() if declared in (str, int)] == []


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("0 3 * * *", 86_400),
        ("*/30 * * * *", 1800),
        ("*/5 * * * 1-5", 173_100),
        ("@weekly", 604_800),
        ("@every 2h", 7200),
        ("@yearly", 366 * 86_400),
        ("0 0 29 2 *", 1461 * 86_400),
    ],
)
def test_the_longest_pause_of_a_schedule(schedule: str, seconds: float) -> None:
    assert longest_pause(schedule) == seconds


@pytest.mark.parametrize("text", ["", "nope", "60 3 * * *", "0 0 30 2"])
def test_what_is_no_schedule_has_no_pause(text: str) -> None:
    with pytest.raises(ValueError, match="is not a schedule"):
        longest_pause(text)


# --- The judgement of the API server ---


def pod(**container: object) -> dict[str, Any]:
    return {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a", **container}]}


def cron_job(schedule: str = "0 3 * * *", **spec: object) -> dict[str, Any]:
    template = {"spec": {"template": {"spec": pod()}}}
    return {"kind": "CronJob", "spec": {"schedule": schedule, "jobTemplate": template, **spec}}


def deployment(**spec: object) -> dict[str, Any]:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": pod()["containers"]}}
    return {"kind": "Deployment", "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def rolling_update(**bounds: int | str) -> dict[str, Any]:
    return deployment(strategy={"type": "RollingUpdate", "rollingUpdate": bounds})


def egress_to(cidr: str) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}}


def ingress_of(host: str) -> dict[str, Any]:
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    return {
        "kind": "Ingress",
        "spec": {
            "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
        },
    }


def claim(size: str) -> dict[str, Any]:
    return {
        "kind": "PersistentVolumeClaim",
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def unreasonable(text: str, units: int, least: Fraction, most: Fraction = Fraction(2**63)) -> bool:
    """A quantity that the server takes and then rounds, or that is too small or too large to be meant."""
    try:
        number = quantity.parse(text.strip())
    except ValueError:
        return re.match(r"\+?\.?(\D|$)", text) is not None  # which the server takes for zero
    whole = (number * units).denominator == 1 and number * units < 2**63
    return text != text.strip() or not whole or not least <= number <= most


def never(_: Any) -> bool:
    return False


@dataclass(frozen=True)
class Judged:
    """Values near the edges of a format, an object with a value in it, and where the rule is stricter on purpose."""

    values: st.SearchStrategy[Any]
    manifest: Callable[[Any], dict[str, Any]]
    stricter: Callable[[Any], bool] = never


CHARACTERS = st.sampled_from("ab0-._/A* %:\n")
NAMES = (
    st.text(CHARACTERS, max_size=8)
    | st.integers(50, 64).map("a".__mul__)
    | st.just(".".join(["a" * 61] * 4 + ["a" * 9]))
)
NUMBERS = st.integers(-2, 2) | st.integers(2**31 - 2, 2**31 + 1)
_NUMBER = st.integers(0, 62).filter(lambda number: number not in (29, 30, 31)).map(str)
_NAMED = st.sampled_from(["JAN", "dec", "MON", "sun", "FOO", "*", "?", "L", "", "x"])
_TERM = _NUMBER | _NAMED | st.tuples(_NUMBER | _NAMED, _NUMBER | _NAMED).map("-".join)
_STEPPED = _TERM | st.tuples(_TERM, _NUMBER).map("/".join)
_FIELD = st.just("*") | _STEPPED | st.lists(_STEPPED, min_size=1, max_size=3).map(",".join)


@st.composite
def schedules(draw: st.DrawFn) -> str:
    """Schedules with one or two fields that are not `*`."""
    made = ["*"] * draw(st.sampled_from([5, 5, 5, 5, 4, 6]))
    for _ in range(draw(st.integers(1, 2))):
        made[draw(st.integers(0, len(made) - 1))] = draw(_FIELD)
    return " ".join(made)


SCHEDULES = schedules() | st.sampled_from(
    [
        *("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@reboot", "@Daily"),
        "@every 1h",
    ]
)
ZONES = st.sampled_from(sorted(formats.time_zones())) | st.sampled_from(
    ["Local", "local", "", "UTC+1", "CEST", "Europe", " UTC"]
)
QUANTITIES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "+", ""]),
    st.sampled_from(["0", "1", "00", "1.5", ".5", "5.", ".", "", "1..2", "128", "1 ", "1_0", "0.0001", "1e"]),
    st.sampled_from(
        ["", "m", "u", "n", "k", "K", "Ki", "Mi", "Gi", "ki", "e3", "E3", "E", "Ei", "e-1", "e+2", "e", "B", "MiB", "i"]
    ),
)
NETWORKS = (
    st.ip_addresses(v=4, network="10.0.0.0/29").map(str) | st.ip_addresses(v=6, network="fd00::/125").map(str)
).flatmap(
    lambda address: st.sampled_from(["", "/8", "/32", "/33", "/64", "/128", "/129", "/08", "/-1", "/"]).map(
        address.__add__
    )
) | st.sampled_from(
    [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/255.0.0.0",
        "010.0.0.0/8",
        "fe80::%eth0/64",
        "::ffff:10.0.0.0/104",
        "10.0.0/24",
        "FD00::/8",
        "a/8",
    ]
)
HOSTS = st.lists(
    st.sampled_from(["a", "b-1", "*", "A", "", "1", "a_b", "-a", "10", "a" * 63, "a" * 64]), min_size=1, max_size=4
).map(".".join)
DURATIONS = st.lists(
    st.sampled_from(["1h", "30m", "0s", "500ms", "1.5h", "1d", "2w", "1", "h", "-1s", " "]), max_size=3
).map("".join)

JUDGED: dict[str, Judged] = {
    "AtLeastZero": Judged(NUMBERS, lambda number: deployment(replicas=number)),
    "Port": Judged(
        st.integers(-1, 1) | st.integers(65534, 65537),
        lambda number: {"kind": "Service", "spec": {"ports": [{"port": number}]}},
    ),
    "DnsLabel": Judged(NAMES, lambda name: {"kind": "Namespace", "metadata": {"name": name}}),
    "ServiceName": Judged(
        NAMES,
        lambda name: {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}},
        # Kubernetes 1.35 and later allow a digit first; the releases before do not.
        stricter=lambda name: name[:1].isdigit(),
    ),
    "ObjectName": Judged(NAMES, lambda name: {"kind": "ConfigMap", "metadata": {"name": name}}),
    "CronJobName": Judged(
        NAMES,
        lambda name: {**cron_job(), "metadata": {"name": name}},
        # The names of the pods begin with it, and with dots in them are no host names.
        stricter=lambda name: "." in name,
    ),
    "LabelKey": Judged(NAMES, lambda key: {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {key: "a"}}}),
    "AnnotationKey": Judged(
        NAMES, lambda key: {"kind": "ConfigMap", "metadata": {"name": "a", "annotations": {key: "a"}}}
    ),
    "LabelValue": Judged(NAMES, lambda value: {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"a": value}}}),
    "CronSchedule": Judged(
        SCHEDULES,
        cron_job,
        # An empty item of a list, and a range from `*`, which the server takes for a slip of the pen.
        stricter=lambda text: (
            ",," in text
            or any(part[:1] == "," or part[-1:] == "," or "*-" in part or "?-" in part for part in text.split())
        ),
    ),
    "TimeZone": Judged(ZONES, lambda zone: cron_job(timeZone=zone)),
    "Cpu": Judged(
        QUANTITIES,
        lambda text: {"kind": "Pod", "spec": pod(resources={"limits": {"cpu": text}})},
        stricter=lambda text: unreasonable(text, 1000, quantity.parse("1m"), quantity.parse("10k")),
    ),
    "Size": Judged(
        QUANTITIES,
        claim,
        stricter=lambda text: unreasonable(text, 1, quantity.parse("1Mi")),
    ),
    "Surge": Judged(
        NUMBERS | st.sampled_from(["0%", "25%", "150%", "25", "-1%", "x%", "%", "1.5%"]),
        lambda bound: rolling_update(maxSurge=bound, maxUnavailable=1),
    ),
    "Unavailable": Judged(
        NUMBERS | st.sampled_from(["0%", "25%", "100%", "101%", "25", "-1%", "x%", "%", "1.5%"]),
        lambda bound: rolling_update(maxSurge=1, maxUnavailable=bound),
    ),
    "Cidr": Judged(NETWORKS, egress_to),
    "IngressHost": Judged(
        HOSTS, ingress_of, stricter=lambda host: host.rpartition(".")[2].isdigit() or host == "" or "a" * 64 in host
    ),
    "Duration": Judged(
        DURATIONS,
        lambda text: {"kind": "GitRepository", "spec": {"url": "https://a", "interval": text}},
        stricter=lambda text: formats.go_seconds(text) == 0,
    ),
    "PrometheusDuration": Judged(
        DURATIONS,
        lambda text: {"kind": "ServiceMonitor", "spec": {"selector": {}, "endpoints": [{"interval": text}]}},
        stricter=lambda text: not any(digit in text for digit in "123456789"),
    ),
}


@pytest.fixture(scope="module")
def server(cluster: Cluster, custom_resources: None) -> Iterator[Server]:
    del custom_resources
    found = Server(cluster)
    yield found
    found.close()


VERSIONS = {
    "ConfigMap": "v1",
    "CronJob": "batch/v1",
    "Deployment": "apps/v1",
    "GitRepository": "source.toolkit.fluxcd.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "Namespace": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PersistentVolumeClaim": "v1",
    "Pod": "v1",
    "Service": "v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}


def refusal_of(name: str, server: Server, value: Any) -> str | None:
    manifest = {"metadata": {"name": "a"}} | JUDGED[name].manifest(value)
    return server.refusal({"apiVersion": VERSIONS[manifest["kind"]]} | manifest, "default")


def judge(name: str, server: Server, value: Any) -> None:
    refusal = refusal_of(name, server, value)
    if FORMATS[name].accepts(value):
        assert refusal is None, f"{name} accepts {value!r}: {refusal}"
    else:
        assert refusal or JUDGED[name].stricter(value), f"{name} refuses {value!r}, and the API server does not"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(JUDGED))
def test_a_format_judges_its_examples_as_the_api_server_does(name: str, server: Server) -> None:
    good, _ = EXAMPLES[name]

    assert [value for value in good if refusal_of(name, server, value)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(JUDGED))
@settings(
    max_examples=examples(200),
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_format_judges_values_as_the_api_server_does(name: str, server: Server, data: st.DataObject) -> None:
    judge(name, server, data.draw(JUDGED[name].values))


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from("ab/.@{~^:?*[\\-# \x7fä"), max_size=6)
    | st.sampled_from(["a.lock", "a.lock/b", "HEAD", "@"])
)
def test_a_branch_is_judged_as_git_does(name: str) -> None:
    done = subprocess.run(["git", "check-ref-format", "--branch", name], check=False, capture_output=True)  # noqa: S607

    # Git expands `@{-1}` and refuses HEAD as a branch only when it creates one.
    assert FORMATS["GitBranch"].accepts(name) == (done.returncode == 0 and name != "HEAD")


def test_every_format_has_examples() -> None:
    assert EXAMPLES.keys() == FORMATS.keys()
    assert isinstance(EXAMPLES, Mapping)
