#!/usr/bin/env bash
# Drives the stack of docker-compose.yml while it runs: answers, streams, what must not be reachable, balancing, a killed gateway.
#
#   NEXUS_TARGET_URL=http://upstream:9999 docker compose --profile simulated up -d --build --wait && deploy/smoke.sh
#
# Needs curl and docker, and for the SDK a checkout with its dependencies. Settings: NEXUS_URL (https://localhost), NEXUS_KEY.
# Exit code: 0 all is well, 1 something isn't.
set -euo pipefail
cd "$(dirname "$0")/.."
url=${NEXUS_URL:-https://localhost}
key=${NEXUS_KEY:-sk-smoke-$RANDOM$RANDOM}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

check() { # check WHAT EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then echo "ok    $1"; else echo "FAIL  $1: $3, not $2"; failed=1; fi
}
call() { # call PATH [curl options]: the answer's status; its body is in $work/body
  local path=$1; shift
  curl --silent --show-error --max-time 30 --cacert "$work/ca.crt" --output "$work/body" --write-out '%{http_code}' \
    -H "Authorization: Bearer $key" -H 'content-type: application/json' "$@" "$url$path" || true
}
chat() { call /v1/chat/completions -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'; }
stream() { call /v1/chat/completions -N -d '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}'; }
gateways() { docker compose ps --quiet --status running gateway; }
sleepy_chats() { # sleepy_chats HOW_MANY: chats below the limit of 10 a second; prints how many were answered with 200
  local n=0 i
  for ((i = 0; i < $1; i++)); do
    [ "$(chat)" = 200 ] && n=$((n + 1))
    sleep 0.12
  done
  echo $n
}

docker compose cp nginx:/etc/nginx/tls/nexus.crt "$work/ca.crt" 2>/dev/null

check "/health answers" 200 "$(call /health)"
limiter=$(grep -o '"keeper":"[^"]*"' "$work/body" | cut -d'"' -f4)
check "a chat is answered" 200 "$(chat)"
check "and is a chat completion" 1 "$(grep -c '"object": *"chat.completion"' "$work/body")"
check "a stream is answered" 200 "$(stream)"
check "and ends with [DONE]" 'data: [DONE]' "$(grep . "$work/body" | tail -n 1)"
for path in /metrics /admin/v1/keys; do
  check "$path is not reachable" 404 "$(call "$path")"
  check "and says so in OpenAI's shape" 1 "$(grep -c '"error":{"message":' "$work/body")"
done
head -c 11000000 /dev/zero >"$work/big"
check "a body of 11 MB is refused" 413 "$(call /v1/chat/completions --data-binary "@$work/big")"

if [ -d services/edge/node_modules/openai-7 ] && command -v node >/dev/null && [[ "$(node --version)" =~ ^v(2[4-9]|[3-9]) ]]; then
  NODE_EXTRA_CA_CERTS="$work/ca.crt" node services/edge/test/sdk-program.ts "$url/v1" >"$work/sdk" 2>&1 || true
  check "the OpenAI SDK gets a whole answer and a stream" 1 "$(grep -c '"streamed":"..' "$work/sdk")"
else
  echo "skip  the OpenAI SDK: this checkout's dependencies are not installed for Node 24"
fi

many=$(gateways | wc -l)
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
check "30 chats are answered" 30 "$(sleepy_chats 30)"
check "by every one of $many gateways" "$many" "$(docker compose logs --no-log-prefix --since "$since" nginx | grep -o '"instance":"[0-9][^",]*"' | sort -u | wc -l)"

if [ "$limiter" = redis ]; then
  # 20 at once and 10 a second for each key, over all gateways together.
  passed=0
  key=sk-smoke-shared-$RANDOM$RANDOM
  started=$(date +%s%N)
  for _ in $(seq 120); do [ "$(chat)" = 200 ] && passed=$((passed + 1)); done
  most=$((20 + ($(date +%s%N) - started) / 100000000 + 1))
  check "a key's limit holds over all gateways together ($passed of at most $most passed)" yes "$([ $passed -le $most ] && echo yes)"
  key=${NEXUS_KEY:-sk-smoke-$RANDOM$RANDOM}
else
  echo "skip  limits shared by the gateways: they keep them in ${limiter:-?}"
fi

victim=$(gateways | head -n 1)
docker kill "$victim" >/dev/null
check "with one gateway killed, 40 chats are answered" 40 "$(sleepy_chats 40)"
docker start "$victim" >/dev/null
for _ in $(seq 60); do [ "$(docker inspect -f '{{.State.Health.Status}}' "$victim")" = healthy ] && break; sleep 0.5; done
check "and it comes back" healthy "$(docker inspect -f '{{.State.Health.Status}}' "$victim")"

# One after another: what is under way finishes, and the next one takes over.
restarts() { for id in $(gateways); do docker restart --time 60 "$id" >/dev/null; sleep 2; done; }
restarts &
check "while all restart in turn, 60 chats are answered" 60 "$(sleepy_chats 60)"
wait

[ $failed = 0 ] && echo "all is well"
exit $failed
