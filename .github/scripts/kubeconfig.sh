#!/usr/bin/env bash
# Writes the kubeconfig that a workflow reaches the cluster with, and puts it into the environment of the next steps.
#
# Either all of it is a secret (DRIFT_KUBECONFIG), or nothing is: the API server trusts GitHub's OIDC tokens, and
#   DRIFT_SERVER     is its address,
#   DRIFT_CA         the certificate of its authority, in PEM,
#   DRIFT_AUDIENCE   the audience that it expects of a token.
set -euo pipefail

file="${RUNNER_TEMP:?}/kubeconfig"
umask 077

if [[ -n "${DRIFT_KUBECONFIG:-}" ]]; then
  printf '%s\n' "$DRIFT_KUBECONFIG" > "$file"
else
  : "${DRIFT_SERVER:?set the secret DRIFT_KUBECONFIG, or the variables DRIFT_SERVER, DRIFT_CA and DRIFT_AUDIENCE}"
  # The request's own token goes through a file, since every process can see the arguments of another.
  answer="$(
    curl --silent --show-error --fail --max-time 30 --retry 3 --get --data-urlencode "audience=${DRIFT_AUDIENCE:?}" \
      --header @<(printf 'Authorization: Bearer %s' "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:?}") \
      "${ACTIONS_ID_TOKEN_REQUEST_URL:?}"
  )"
  token="$(python3 -c 'import json, sys; print(json.load(sys.stdin)["value"])' <<< "$answer")"
  echo "::add-mask::$token"
  authority="$(printf '%s' "${DRIFT_CA:?}" | base64 | tr -d '\n')"
  cat > "$file" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {server: "$DRIFT_SERVER", certificate-authority-data: "$authority"}
users:
- name: workflow
  user: {token: "$token"}
contexts:
- name: cluster
  context: {cluster: cluster, user: workflow}
current-context: cluster
YAML
fi
echo "KUBECONFIG=$file" >> "${GITHUB_ENV:?}"
