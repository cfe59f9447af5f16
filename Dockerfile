# The drift reporter alone, for jobs in a cluster and for CI: docs/in-cluster.md.
#   docker build --tag registry.example.com/drift:0.1.0 .
#   docker build --tag registry.example.com/drift:0.1.0-sources --target sources .    with kustomize and helm
# It runs as an unprivileged user, writes only the files that flags name, and needs no writable root.

# For another base image, or a mirror of this one: --build-arg PYTHON_IMAGE=... with a digest.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements-build.lock ./
RUN pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY drift drift
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv --without-pip /opt/drift
COPY requirements-reporter.lock ./
RUN pip --python /opt/drift install --require-hashes --requirement requirements-reporter.lock
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/drift install --no-deps --no-index /wheel/*.whl

# kustomize and helm from their Go modules: go.mod pins every module, and go.sum has the hash of each. Go verifies its own
# newer toolchain with the checksum database.
FROM ${PYTHON_IMAGE} AS programs
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates golang-go \
 && rm -rf /var/lib/apt/lists/*
ENV CGO_ENABLED=0 GOTOOLCHAIN=go1.26.8 GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
WORKDIR /source
COPY tools/sandbox/programs/go.mod tools/sandbox/programs/go.sum ./
RUN version() { go list -m -f '{{.Version}}' "$1"; } \
 && go build -ldflags "-s -w -X sigs.k8s.io/kustomize/api/provenance.version=$(version sigs.k8s.io/kustomize/kustomize/v5)" \
      -o /programs/kustomize sigs.k8s.io/kustomize/kustomize/v5 \
 && go build -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$(version helm.sh/helm/v4)" \
      -o /programs/helm helm.sh/helm/v4/cmd/helm

FROM ${PYTHON_IMAGE} AS reporter
LABEL org.opencontainers.image.title="drift" \
      org.opencontainers.image.description="Compares a live Kubernetes cluster with manifests, read-only" \
      org.opencontainers.image.licenses="Apache-2.0"
# The reporter calls git to find the commit of the manifests and to read the last synced ones. Debian keeps one version
# at a time, so a pinned version could not be installed after the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/*
COPY --from=packages /opt/drift /opt/drift
ENV PATH=/opt/drift/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
# The user of git-sync's image: Git only trusts a clone that its own user owns.
USER 65533:65533
WORKDIR /tmp
ENTRYPOINT ["drift"]

# For kustomizations, charts, Flux and Argo CD: docs/sources.md.
FROM reporter AS sources
COPY --from=programs /programs/ /usr/local/bin/

# Last, so that it is what a build without --target makes: it needs no programs for plain manifests and Helm releases.
FROM reporter
