"""Fields that cannot be changed: a command reverts a field exactly if the API server takes its patch."""

import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from drift.advice.advisor import Advisor
from drift.advice.commands import revert_fields
from drift.cli.outputs import read_saved_report
from drift.model import Report
from tests.drift.conftest import Application
from tools.sandbox.cluster import Cluster

#: ``<LIVE|GIT>``: what the cluster has, and what Git has.
_SIDES = re.compile(r"<([^|>]*)\|([^>]*)>")
_POD = "containers: [{name: a, image: nginx}]"
_LABELLED = "template: {metadata: {labels: {app: <web2|web>, tier: <x|z>}}, spec: {" + _POD + "}}"
_SELECTED = "selector: {matchLabels: {app: <web2|web>}}, " + _LABELLED
OBJECTS = {
    "Deployment": "apiVersion: apps/v1\nspec: {replicas: <0|1>, " + _SELECTED + "}",
    "ReplicaSet": "apiVersion: apps/v1\nspec: {replicas: 0, " + _SELECTED + "}",
    "DaemonSet": "apiVersion: apps/v1\nspec: {minReadySeconds: <0|1>, " + _SELECTED + "}",
    "StatefulSet": """apiVersion: apps/v1
spec: {replicas: 0, serviceName: <a|b>, podManagementPolicy: <Parallel|OrderedReady>, minReadySeconds: <0|1>,
  revisionHistoryLimit: <3|4>, ordinals: {start: <1|2>},
  persistentVolumeClaimRetentionPolicy: {whenScaled: <Delete|Retain>},
  updateStrategy: {rollingUpdate: {partition: <1|2>}}, """
    + _SELECTED
    + "}",
    "Job": """apiVersion: batch/v1
spec: {suspend: <true|false>, parallelism: <1|2>, completions: <3|2>, backoffLimit: <3|4>,
  ttlSecondsAfterFinished: <600|700>, activeDeadlineSeconds: <600|700>,
  completionMode: <NonIndexed|Indexed>, podReplacementPolicy: <Failed|TerminatingOrFailed>,
  template: {spec: {restartPolicy: Never, containers: [{name: a, image: <nginx|busybox>}]}}}""",
    "CronJob": """apiVersion: batch/v1
spec: {schedule: <'@daily'|'@weekly'>, suspend: true, jobTemplate: {spec: {completions: <1|2>, template: {spec:
  {restartPolicy: Never, containers: [{name: a, image: <nginx|busybox>}]}}}}}""",
    "Pod": """apiVersion: v1
metadata: {labels: {a: <x|z>}}
spec: {activeDeadlineSeconds: <600|500>, terminationGracePeriodSeconds: <30|40>, priority: 0,
  tolerations: [{key: a, operator: Exists}<|, {key: b, operator: Exists}>], nodeSelector: {a: <x|z>},
  initContainers: [{name: i, image: <nginx|busybox>, command: [<x|z>]}],
  containers: [{name: a, image: <nginx|busybox>, command: [<x|z>], resources: {requests: {cpu: <1|2>}}}]}""",
    "Service": """apiVersion: v1
spec: {type: LoadBalancer, loadBalancerClass: example.com/<a|b>, selector: {app: <web2|web>},
  ports: [{port: 80, targetPort: <80|81>}],
  externalTrafficPolicy: Local, healthCheckNodePort: <31901|31902>}""",
    "ConfigMap": """apiVersion: v1
immutable: true
metadata: {labels: {a: <x|z>}}
data: {a: <x|z>}
binaryData: {b: <eA==|eQ==>}""",
    "Secret": "apiVersion: v1\nmetadata: {labels: {a: <x|z>}}\ntype: <example.com/a|example.com/b>",
    "ResourceQuota": "apiVersion: v1\nspec: {scopes: [<Terminating|NotTerminating>], hard: {pods: <1|2>}}",
    "PersistentVolumeClaim": """apiVersion: v1
spec: {storageClassName: <a|b>, accessModes: [<ReadWriteOnce|ReadWriteMany>], volumeMode: <Block|Filesystem>,
  selector: {matchLabels: {a: <x|z>}}, resources: {requests: {storage: 1Gi}, limits: {storage: <3Gi|4Gi>}}}""",
    "PersistentVolume": """apiVersion: v1
spec: {storageClassName: <a|b>, accessModes: [<ReadWriteOnce|ReadWriteMany>], volumeMode: <Block|Filesystem>,
  capacity: {storage: <1Gi|2Gi>}, mountOptions: [<ro|rw>], persistentVolumeReclaimPolicy: <Retain|Delete>,
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: <Exists|DoesNotExist>}]}]}},
  csi: {driver: example.com, volumeHandle: <x|z>}}""",
    "StorageClass": """apiVersion: storage.k8s.io/v1
provisioner: example.com/<a|b>
parameters: {a: <x|z>}
reclaimPolicy: <Retain|Delete>
volumeBindingMode: <Immediate|WaitForFirstConsumer>
allowVolumeExpansion: <true|false>
mountOptions: [<ro|rw>]
allowedTopologies: [{matchLabelExpressions: [{key: a, values: [<x|z>]}]}]""",
    "CSIDriver": """apiVersion: storage.k8s.io/v1
spec: {attachRequired: <true|false>, podInfoOnMount: <true|false>, volumeLifecycleModes: [Persistent<|, Ephemeral>],
  fsGroupPolicy: <File|None>, storageCapacity: <true|false>, requiresRepublish: <true|false>,
  seLinuxMount: <true|false>}""",
    "VolumeAttributesClass": "apiVersion: storage.k8s.io/v1\ndriverName: example.com/<a|b>\nparameters: {a: <x|z>}",
    "PriorityClass": """apiVersion: scheduling.k8s.io/v1
value: <1|2>
preemptionPolicy: <Never|PreemptLowerPriority>
description: <x|z>""",
    "RuntimeClass": "apiVersion: node.k8s.io/v1\nhandler: <a|b>\noverhead: {podFixed: {cpu: <1|2>}}",
    "IngressClass": """apiVersion: networking.k8s.io/v1
spec: {controller: example.com/<a|b>, parameters: {kind: A, name: <x|z>}}""",
    "EndpointSlice": """apiVersion: discovery.k8s.io/v1
addressType: IPv4
ports: [{name: a, port: <80|81>}]
endpoints: [{addresses: [<10.0.0.1|10.0.0.2>]}]""",
    "RoleBinding": """apiVersion: rbac.authorization.k8s.io/v1
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: <a|b>}
subjects: [{kind: User, name: <x|z>, apiGroup: rbac.authorization.k8s.io}]""",
    "ClusterRoleBinding": """apiVersion: rbac.authorization.k8s.io/v1
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: <a|b>}
subjects: [{kind: User, name: <x|z>, apiGroup: rbac.authorization.k8s.io}]""",
    "ControllerRevision": "apiVersion: apps/v1\nrevision: <1|2>\ndata: {a: <x|z>}",
    "ResourceClaimTemplate": """apiVersion: resource.k8s.io/v1
spec: {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: <a|b>.example.com}}]}}}""",
    "ResourceClaim": """apiVersion: resource.k8s.io/v1
spec: {devices: {requests: [{name: a, exactly: {deviceClassName: <a|b>.example.com}}]}}""",
    "DeviceClass": """apiVersion: resource.k8s.io/v1
spec: {selectors: [{cel: {expression: 'device.driver == "<a|b>"'}}]}""",
    "PodDisruptionBudget": "apiVersion: policy/v1\nspec: {minAvailable: <1|2>, selector: {matchLabels: {a: <x|z>}}}",
    "HorizontalPodAutoscaler": """apiVersion: autoscaling/v2
spec: {maxReplicas: <2|3>, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: <x|z>}}""",
    "NetworkPolicy": "apiVersion: networking.k8s.io/v1\nspec: {podSelector: {matchLabels: {a: <x|z>}}}",
    "CustomResourceDefinition": """apiVersion: apiextensions.k8s.io/v1
spec: {group: NAME.example.com, scope: <Namespaced|Cluster>,
  names: {kind: <Fixed|Fixture>, plural: fixeds, singular: <fixed|fixture>},
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}""",
}
_CLUSTER_SCOPED = frozenset(
    {
        "ClusterRoleBinding",
        "CSIDriver",
        "CustomResourceDefinition",
        "DeviceClass",
        "IngressClass",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "VolumeAttributesClass",
    }
)


def _manifest(kind: str, namespace: str, side: int) -> str:
    name = f"fixeds.{namespace}.example.com" if kind == "CustomResourceDefinition" else namespace
    place = "" if kind in _CLUSTER_SCOPED else f", namespace: {namespace}"
    text = _SIDES.sub(lambda found: found[side], OBJECTS[kind]).replace("NAME", namespace)
    metadata = f"metadata: {{name: {name}{place}"
    has_metadata = "\nmetadata: {" in text
    text = text.replace("\nmetadata: {", f"\n{metadata}, ") if has_metadata else f"{text}\n{metadata}}}"
    return f"kind: {kind}\n{text}\n"


@pytest.fixture(scope="module")
def drifted(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Application, Report]]:
    folder = tmp_path_factory.mktemp("fixed")
    (folder / "manifests").mkdir()
    application = Application(cluster, f"fixed-{secrets.token_hex(4)}", folder / "manifests", folder)
    cluster.create_namespace(application.namespace)
    live = "---\n".join(_manifest(kind, application.namespace, 1) for kind in OBJECTS)
    try:
        cluster.kubectl("create", "--filename=-", stdin=live)
        for kind in OBJECTS:
            application.write(_manifest(kind, application.namespace, 2), f"{kind}.yaml")
        application.report()
        yield application, read_saved_report(str(folder / "report.json"))
    finally:
        cluster.kubectl("delete", "--filename=-", "--wait=false", "--ignore-not-found", stdin=live)


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_field_has_a_command_exactly_if_the_api_server_takes_its_patch(
    drifted: tuple[Application, Report], kind: str
) -> None:
    application, report = drifted
    (item,) = (one for one in report.objects if one.kind == kind)
    advisor = Advisor.of(report)
    wrong = {}
    for finding in item.findings:
        reason = advisor.why_not_reverted(item, finding)
        done = _dry_run(application, revert_fields(item, [finding], None))
        if (done.returncode == 0) is not (reason is None):
            wrong[finding.path] = reason or done.stderr

    assert wrong == {}
    assert item.findings


def _dry_run(application: Application, command: str) -> subprocess.CompletedProcess[str]:
    environment = application.cluster.environment
    words = ["sh", "-c", f"{command} --dry-run=server"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
