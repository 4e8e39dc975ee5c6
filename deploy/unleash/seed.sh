#!/bin/sh
# Creates the flags that wasmplugins/flag-headers.yaml names, each with its safe value: ai-safety-pii and
# ai-provider-openai-enabled on, new-ui-enabled off, ai-timeout-seconds 30.
#
# A flag that is there already is left as it is, so that the script can run at any time: what somebody has switched since is
# theirs. It runs in the cluster (seed-job.yaml) and anywhere else with sh and curl:
#
#   UNLEASH_URL=http://127.0.0.1:4242 UNLEASH_ADMIN_TOKEN_FILE=admin.token deploy/unleash/seed.sh
#
#   UNLEASH_URL                where Unleash is, without /api
#   UNLEASH_ADMIN_TOKEN        an admin token, or
#   UNLEASH_ADMIN_TOKEN_FILE   a file that holds it
#   UNLEASH_PROJECT            default
#   UNLEASH_ENVIRONMENT        production: where the values hold; in other environments the flags stay off
#   UNLEASH_WAIT               120: seconds to wait for Unleash
set -eu

url=${UNLEASH_URL:?where is Unleash? e.g. http://unleash:4242}
url=${url%/}
project=${UNLEASH_PROJECT:-default}
environment=${UNLEASH_ENVIRONMENT:-production}
wait=${UNLEASH_WAIT:-120}

token=${UNLEASH_ADMIN_TOKEN:-}
if [ -z "$token" ] && [ -n "${UNLEASH_ADMIN_TOKEN_FILE:-}" ]; then
  # Without the newline that editors put at the end.
  token=$(cat "$UNLEASH_ADMIN_TOKEN_FILE")
fi
: "${token:?set UNLEASH_ADMIN_TOKEN or UNLEASH_ADMIN_TOKEN_FILE}"
# Children don't need it in their environment either.
unset UNLEASH_ADMIN_TOKEN

# It stands in a flag's description until the flag is complete. A run that was cut short between creating a flag and switching
# it on would else leave it off for good, ai-safety-pii too, because the next run takes what it finds for somebody's decision.
unfinished='Being created by the seed job, not complete yet.'

say() { printf '%s\n' "$*"; }
fail() { printf 'seed: %s\n' "$*" >&2; exit 1; }

# request METHOD PATH [BODY]: sets $status and $body. The token goes through stdin as a line of curl's configuration: arguments
# can be read by every process of the machine.
request() {
  method=$1 path=$2
  set -- --silent --show-error --max-time 20 --request "$method" --write-out '\n%{http_code}' ${3+--data-binary "$3"}
  answer=$(printf 'header = "Authorization: %s"\nheader = "Content-Type: application/json"\n' "$token" |
    curl --config - "$@" "$url/api/admin/$path") || fail "$method $path: no answer"
  status=${answer##*"
"}
  body=${answer%"
"*}
}

# expect STATUS...: or it ends here. Bodies of errors hold no secrets.
expect() {
  for wanted; do
    [ "$status" = "$wanted" ] && return
  done
  fail "$method $path answered $status: $body"
}

# flag NAME TYPE on|off DESCRIPTION [VARIANTS]
flag() {
  name=$1 type=$2 value=$3 description=$4 variants=${5:-[]}
  at=projects/$project/features/$name
  in_environment=$at/environments/$environment

  request POST "projects/$project/features" \
    "{\"name\":\"$name\",\"type\":\"$type\",\"description\":\"$unfinished\"}"
  expect 201 409
  if [ "$status" = 409 ]; then
    # 404: archived, or in another project.
    request GET "$at"
    expect 200 404
    case $body in
      *"\"description\":\"$unfinished\""*) say "$name: was left unfinished, goes on" ;;
      *) say "$name: exists, left as it is"; return ;;
    esac
  fi

  request GET "$in_environment/strategies"
  expect 200
  if [ "$body" = '[]' ]; then
    request POST "$in_environment/strategies" \
      "{\"name\":\"flexibleRollout\",\"constraints\":[],\"variants\":$variants,
        \"parameters\":{\"rollout\":\"100\",\"stickiness\":\"default\",\"groupId\":\"$name\"}}"
    expect 200
  fi
  if [ "$value" = on ]; then
    request POST "$in_environment/on"
    expect 200
  fi
  request PATCH "$at" "[{\"op\":\"replace\",\"path\":\"/description\",\"value\":\"$description\"}]"
  expect 200
  say "$name: created, $value in $environment"
}

until curl --silent --fail --output /dev/null --max-time 5 "$url/health"; do
  [ "$wait" -gt 0 ] || fail "no answer from $url/health"
  sleep 2
  wait=$((wait - 2))
done

flag new-ui-enabled release off 'The new user interface.'
flag ai-safety-pii operational on 'Whether texts for AI providers are searched for personal data. Safe: on.'
flag ai-provider-openai-enabled kill-switch on 'Off: nothing goes to OpenAI.'
flag ai-timeout-seconds operational on 'How long a call of an AI provider may take: the payload, in seconds.' \
  '[{"name":"standard","weight":1000,"weightType":"variable","stickiness":"default","payload":{"type":"number","value":"30"}}]'
