#!/usr/bin/env bash
# Reports the drift of one environment. The scheduled workflow runs it; other CI systems can, too: docs/scheduled.md.
#
#   drift.sh ENVIRONMENT [FLAG...]      the flags are for `drift report`, such as --context production
#
# Exits with the status of `drift report`, or with 2 if the issue could not be updated. Optional variables:
#   MANIFESTS             the manifests (default: dist/ENVIRONMENT)
#   OUTPUT                the folder to write the reports to (default: drift-reports/ENVIRONMENT)
#   GITHUB_STEP_SUMMARY   a file to append the Markdown report to
#   DRIFT_SARIF           1: upload the findings to GitHub code scanning, with gh
#   DRIFT_ISSUE           1: keep one issue per environment, with gh: opened, updated and closed as drift comes and goes
set -euo pipefail

readonly DRIFTED=1 FAILED=2 INCOMPLETE=3

main() {
  environment="${1:?usage: drift.sh ENVIRONMENT [FLAG...]}"
  shift
  if [[ ! "$environment" =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]]; then
    say "$environment is not a valid environment name"
    exit "$FAILED"
  fi
  output="${OUTPUT:-drift-reports/$environment}"
  mkdir -p "$output"
  # Removes the reports of an earlier run, so that they are not taken for this one's.
  rm -f "$output"/drift.*

  status=0
  drift report "${MANIFESTS:-dist/$environment}" "$@" \
    --output text --output "json=$output/drift.json" || status=$?
  if [[ -f "$output/drift.json" ]]; then
    drift render "$output/drift.json" --quiet --output "markdown=$output/drift.md" \
      --output "sarif=$output/drift.sarif" --output "html=$output/drift.html"
    summarize
    if [[ "${DRIFT_SARIF:-}" == 1 ]]; then upload_sarif || say "could not upload the findings to code scanning"; fi
    if [[ "${DRIFT_ISSUE:-}" == 1 ]] && ! keep_issue; then
      say "could not update the issue of $environment"
      exit "$FAILED"
    fi
  fi
  exit "$status"
}

summarize() {
  if [[ -n "${GITHUB_STEP_SUMMARY:-}" ]]; then
    drift render "$output/drift.json" --quiet --output markdown --markdown-limit 1048576 >> "$GITHUB_STEP_SUMMARY"
  fi
}

# The two functions below run in conditions, where bash ignores `set -e`: every command handles its own failure.

upload_sarif() {
  # An upload replaces the previous one of the same category, so each environment has its own.
  python3 - "$output/drift.sarif" "drift/$environment/" <<'PYTHON' || return
import json, sys
path, category = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    log = json.load(file)
for run in log["runs"]:
    run["automationDetails"] = {"id": category}
with open(path, "w", encoding="utf-8") as file:
    json.dump(log, file)
PYTHON
  gzip --stdout "$output/drift.sarif" | base64 | tr -d '\n' > "$output/drift.upload" || return
  local uploaded=0
  gh api --method POST --silent "repos/{owner}/{repo}/code-scanning/sarifs" \
    --field "commit_sha=$(git rev-parse HEAD)" --field "ref=${GITHUB_REF:-$(git symbolic-ref HEAD)}" \
    --field "sarif=@$output/drift.upload" || uploaded=$?
  rm "$output/drift.upload"
  return "$uploaded"
}

keep_issue() {
  local label="drift: $environment" found number state
  found="$(
    gh issue list --label "$label" --state all --limit 1 --json number,state --jq '.[] | "\(.number) \(.state)"'
  )" || return
  read -r number state <<< "$found"
  case "$status $state" in
    "$DRIFTED ")
      gh label create "$label" --force --description "The cluster is not what Git says" --color B60205 &&
        gh issue create --title "Drift in $environment" --label "$label" --body-file "$output/drift.md"
      ;;
    "$DRIFTED OPEN" | "$INCOMPLETE OPEN")
      gh issue edit "$number" --body-file "$output/drift.md"
      ;;
    "$DRIFTED CLOSED")
      gh issue edit "$number" --body-file "$output/drift.md" &&
        gh issue reopen "$number" --comment "There is drift again."
      ;;
    "0 OPEN")
      gh issue edit "$number" --body-file "$output/drift.md" &&
        gh issue close "$number" --comment "In sync again."
      ;;
  esac
}

say() {
  printf 'drift.sh: %s\n' "$1" >&2
}

main "$@"
