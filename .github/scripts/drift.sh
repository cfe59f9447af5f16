#!/usr/bin/env bash
# Reports the drift of one environment. The scheduled workflow and the action (action.yml) run it; other CI systems can,
# too: docs/scheduled.md.
#
#   drift.sh ENVIRONMENT [FLAG...]      the flags are for `drift report`, such as --context production
#
# Exits with the status of `drift report`, or with 2 if the issue could not be updated. Optional variables:
#   MANIFESTS             the manifests, one a line (default: dist/ENVIRONMENT); none if it is empty
#   OUTPUT                the folder to write the reports to (default: drift-reports/ENVIRONMENT)
#   DRIFT_BASE            a Git revision: report on its manifests, and let `drift guard` compare them with the work tree. The
#                         exit status is that of `drift guard`, if the scan was complete. Flags name absolute paths
#   GITHUB_STEP_SUMMARY   a file to append the Markdown report to
#   GITHUB_OUTPUT         a file to append the outputs of the action to
#   DRIFT_COMMENT         the number of a pull request: keep one comment on it, with gh
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
  output="$(cd "$output" && pwd)"
  # Removes the reports of an earlier run, so that they are not taken for this one's.
  rm -f "$output"/drift.* "$output"/guard.*
  while read -r source; do
    if [[ -n "$source" ]]; then set -- "$@" "$source"; fi
  done <<< "${MANIFESTS-dist/$environment}"
  folder=.
  if [[ -n "${DRIFT_BASE:-}" ]]; then check_out_base; fi

  status=0
  stop_commands
  (cd "$folder" && drift report "$@" --output text --output "json=$output/drift.json") || status=$?
  resume_commands
  if [[ -f "$output/drift.json" ]]; then
    drift render "$output/drift.json" --quiet --output "markdown=$output/drift.md" \
      --output "sarif=$output/drift.sarif" --output "html=$output/drift.html"
    summarize
    if [[ "${DRIFT_SARIF:-}" == 1 ]]; then upload_sarif || say "could not upload the findings to code scanning"; fi
    if [[ "${DRIFT_ISSUE:-}" == 1 ]] && ! keep_issue; then
      say "could not update the issue of $environment"
      exit "$FAILED"
    fi
    if [[ -n "${DRIFT_BASE:-}" && "$status" -le "$DRIFTED" ]]; then guard "$@"; fi
    if [[ -n "${DRIFT_COMMENT:-}" ]]; then keep_comment || say "could not comment on pull request $DRIFT_COMMENT"; fi
  fi
  publish "status=$status"
  exit "$status"
}

# GitHub's runner runs commands that it finds in the log, such as ##[add-path]/tmp anywhere in a line, and a report has
# values of the cluster. The token that ends this cannot be guessed.
stop_commands() {
  token=""
  if [[ "${GITHUB_ACTIONS:-}" == true ]]; then
    token="$(python3 -c 'import secrets; print(secrets.token_hex(16))')"
    echo "::stop-commands::$token"
  fi
}

resume_commands() {
  if [[ -n "$token" ]]; then echo "::$token::"; fi
}

check_out_base() {
  base="$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/drift-base.XXXXXX")"
  if ! git worktree add --quiet --detach "$base" "$DRIFT_BASE"; then
    rmdir "$base"
    say "$DRIFT_BASE is not in this clone; fetch it (actions/checkout: fetch-depth: 0)"
    exit "$FAILED"
  fi
  trap 'git worktree remove --force "$base"' EXIT
  folder="$base/$(git rev-parse --show-prefix)"
}

# Takes the flags of `drift report`, and uses its settings: the change must not choose what is compared.
guard() {
  local format=text settings=drift.yaml flags
  if [[ "${GITHUB_ACTIONS:-}" == true ]]; then format=github; fi
  touch "$folder/drift.yaml" # without a file, drift guard would read the one of the change
  while (($#)); do
    case "$1" in
      --config) settings="${2:-}" ;;
      --config=*) settings="${1#*=}" ;;
    esac
    shift
  done
  if [[ "$settings" != /* ]]; then settings="$folder/$settings"; fi
  flags=(--base "$DRIFT_BASE" --config "$settings")
  status=0
  drift guard "$output/drift.json" "${flags[@]}" --output markdown > "$output/guard.md" || status=$?
  drift guard "$output/drift.json" "${flags[@]}" --output "$format" || true
  if [[ -n "${GITHUB_STEP_SUMMARY:-}" ]]; then
    { printf '\n## What this pull request does to the drift\n\n'; cat "$output/guard.md"; } >> "$GITHUB_STEP_SUMMARY"
  fi
}

publish() {
  if [[ -n "${GITHUB_OUTPUT:-}" ]]; then printf '%s\n' "$1" >> "$GITHUB_OUTPUT"; fi
}

summarize() {
  if [[ -n "${GITHUB_STEP_SUMMARY:-}" ]]; then
    drift render "$output/drift.json" --quiet --output markdown --markdown-limit 1048576 >> "$GITHUB_STEP_SUMMARY"
  fi
  publish "verdict=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"]["verdict"])' \
    "$output/drift.json")"
  publish "reports=$output"
}

# The functions below run in conditions, where bash ignores `set -e`: every command handles its own failure.

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

keep_comment() {
  local marker="<!-- drift: $environment -->" limit=65000 body="$output/drift.md" found
  local comments="repos/{owner}/{repo}/issues"
  if [[ -f "$output/guard.md" ]]; then body="$output/guard.md"; fi
  {
    printf '%s\n### Drift in %s\n\n' "$marker" "$environment"
    if (($(wc -c < "$body") <= limit)); then
      cat "$body"
    else
      echo "The result is too long for a comment. It is in the summary of the run."
    fi
  } > "$output/drift.comment" || return
  # Only the comment of a bot: any user can write one that begins in the same way.
  found="$(
    gh api --paginate "$comments/$DRIFT_COMMENT/comments" \
      --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id"
  )" || return
  if [[ -n "$found" ]]; then
    gh api --method PATCH --silent "$comments/comments/${found%%$'\n'*}" --field "body=@$output/drift.comment"
  else
    gh api --method POST --silent "$comments/$DRIFT_COMMENT/comments" --field "body=@$output/drift.comment"
  fi
}

say() {
  printf 'drift.sh: %s\n' "$1" >&2
}

main "$@"
