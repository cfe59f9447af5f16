"""A real Kubernetes control plane on loopback, for the tests, the demo and experiments.

etcd, kube-apiserver and kube-controller-manager run from their pinned sources; there is no kubelet, so pods stay
Pending. Start one with ``python -m tools.sandbox`` or, in Python, with ``Cluster.start()``.
"""
