"""One file per resource family: settings in, cdk8s constructs out.

cdk8s-plus classes where they can say all that Rescan needs, the typed API objects of `cdk8s_plus_27.k8s` where they
cannot (revision history, seccomp, dropped capabilities, topology spread) or would write empty fields.
Every object is named explicitly: a construct id is never part of a manifest.
"""
