#!/usr/bin/env bash
# Writes the kubeconfig for the workflow, and sets KUBECONFIG for the next steps.
#
# Set the secret DRIFT_KUBECONFIG to the whole kubeconfig. Or let the API server trust GitHub's OIDC tokens, and set
#   DRIFT_SERVER     to its address,
#   DRIFT_CA         to its CA certificate, in PEM,
#   DRIFT_AUDIENCE   to the audience that it expects in a token.
set -euo pipefail

file="${RUNNER_TEMP:?}/kubeconfig"
umask 077

if [[ -n "${DRIFT_KUBECONFIG:-}" ]]; then
  printf '%s\n' "$DRIFT_KUBECONFIG" > "$file"
else
  : "${DRIFT_SERVER:?set the secret DRIFT_KUBECONFIG, or the variables DRIFT_SERVER, DRIFT_CA and DRIFT_AUDIENCE}"
  # The token goes through a file: other processes can see a command's arguments.
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
