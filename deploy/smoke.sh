#!/usr/bin/env bash
# Drives the stack of docker-compose.yml while it runs, and says of each promise whether it was kept: answers, streams, what must
# not be reachable, limits shared by the gateways; then a gateway killed, Redis stopped, a gateway cut off from Redis and from nginx.
#
#   NEXUS_TARGET_URL=http://upstream:9999 docker compose --profile simulated up -d --build --wait && deploy/smoke.sh
#
# It takes two minutes and leaves the stack as it was. Only for a stack that nobody depends on meanwhile, with the limits of
# deploy/compose/config.yaml: 10 requests a second for each key, 20 at once. Against a real API its some 400 chats are billed.
# Needs bash, curl and docker, and for the SDK a checkout with its dependencies. Settings: NEXUS_URL (https://localhost),
# NEXUS_PROMETHEUS_URL (http://127.0.0.1:9090). Exit code: 0 all is well, 1 something isn't.
set -euo pipefail
cd "$(dirname "$0")/.."
url=${NEXUS_URL:-https://localhost}
prometheus=${NEXUS_PROMETHEUS_URL:-http://127.0.0.1:9090}
work=$(mktemp -d)
failed=0
key=
cut_off= # "NETWORK GATEWAY" while one is cut off

finish() {
  [ -z "$cut_off" ] || reconnect
  docker compose start redis >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

check() { # check WHAT EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then echo "ok    $1"; else echo "FAIL  $1: $3, not $2"; failed=1; fi
}
check_between() { # check_between WHAT LEAST MOST ACTUAL
  if [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then echo "ok    $1"; else echo "FAIL  $1: $4, not $2 to $3"; failed=1; fi
}

# Each phase has a key of its own, so that its limits are full.
new_key() { key=sk-smoke-$RANDOM$RANDOM$RANDOM; }
call() { # call PATH [curl options]: the answer's status, 000 where none came; its body is in $work/body
  local path=$1
  shift
  curl --silent --max-time 40 --cacert "$work/ca.crt" --output "$work/body" --write-out '%{http_code}' \
    -H "Authorization: Bearer $key" -H 'content-type: application/json' "$@" "$url$path" || true
}
chat() { call /v1/chat/completions -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'; }
stream() { call /v1/chat/completions -N -d '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}'; }

# many_chats HOW_MANY PAUSE_S: begins them at that pace, whether or not earlier ones are over. "STATUS MILLISECONDS" of each is
# then in $work/chats.
many_chats() {
  local i
  : >"$work/chats"
  for ((i = 0; i < $1; i++)); do
    curl --silent --max-time 40 --cacert "$work/ca.crt" --output /dev/null --write-out '%{http_code} %{time_total}\n' \
      -H "Authorization: Bearer $key" -H 'content-type: application/json' \
      -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}' "$url/v1/chat/completions" >>"$work/chats" &
    sleep "$2"
  done
  # Not for the other jobs of a phase.
  while [ "$(wc -l <"$work/chats")" -lt "$1" ]; do sleep 0.1; done
}
answered() { grep -c "^${1:-200} " "$work/chats" || true; } # answered [STATUS]
slowest_ms() { awk '{ ms = $2 * 1000; if (ms > most) most = ms } END { printf "%d", most }' "$work/chats"; }

gateways() { docker compose ps --quiet --status running gateway; }
# The state of each gateway's limiter, in alphabetical order: "degraded ok ok".
states() {
  for id in $(gateways); do
    docker exec "$id" node -e "fetch('http://127.0.0.1:8080/health').then((r) => r.json()).then((h) => console.log(h.limiter.status))" ||
      echo unreachable
  done | sort | tr '\n' ' ' | sed 's/ $//'
}
# How many gateways share the limits, as each of them sees it: "3 3 3".
counts() {
  for id in $(gateways); do
    docker exec "$id" node -e "fetch('http://127.0.0.1:9090/metrics').then((r) => r.text()).then((t) => console.log(/^nexus_limiter_instances (\\d+)/m.exec(t)?.[1]))" ||
      echo unreachable
  done | sort | tr '\n' ' ' | sed 's/ $//'
}
ups() { curl --silent --max-time 5 "$prometheus/api/v1/targets" | grep -o '"health":"up"' | wc -l; }
# eventually SECONDS EXPECTED COMMAND…: runs it until it prints that, and prints what it printed last.
eventually() {
  local until=$((SECONDS + $1)) expected=$2 actual
  shift 2
  while actual=$("$@") && [ "$actual" != "$expected" ] && [ $SECONDS -lt "$until" ]; do sleep 0.3; done
  echo "$actual"
}
all_of() { yes "$1" | head -n "$many" | tr '\n' ' ' | sed 's/ $//'; } # all_of WORD: once for each gateway
# From Redis, network `state`, or from nginx, Prometheus and the upstream, network `edge`.
disconnect() {
  local network
  network=$(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$2" | grep "_$1$")
  cut_off="$network $2"
  docker network disconnect "$network" "$2"
}
# Docker forgets the service's name of a container that it disconnects.
reconnect() {
  # shellcheck disable=SC2086 # two words
  docker network connect --alias gateway $cut_off
  cut_off=
}

docker compose cp nginx:/etc/nginx/tls/nexus.crt "$work/ca.crt" 2>/dev/null
many=$(gateways | wc -l)
new_key

echo "- Answers"
check "/health answers" 200 "$(call /health)"
check "and its limiter keeps its buckets in Redis" 1 "$(grep -c '"keeper":"redis","status":"ok"' "$work/body")"
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

echo "- Balancing and limits"
new_key
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
many_chats 30 0.12
check "30 chats are answered" 30 "$(answered)"
check "by every one of $many gateways" "$many" "$(docker compose logs --no-log-prefix --since "$since" nginx | grep -o '"instance":"[0-9][^",]*"' | sort -u | wc -l)"
new_key
started=$(date +%s%N)
many_chats 150 0.02
most=$((20 + ($(date +%s%N) - started) / 100000000 + 1))
check_between "of 150 at once, a key's limit lets through 20 and 10 a second, all gateways together ($(answered) of at most $most)" \
  $((most - 12)) $most "$(answered)"
check "and the others are refused with 429" 150 $(($(answered) + $(answered 429)))
if docker compose ps --quiet --status running upstream | grep -q .; then
  new_key
  docker run --rm -i --read-only --network "container:$(docker compose ps --quiet nginx)" -e "NEXUS_KEY=$key" nexus:latest \
    verify --url https://localhost --ca /dev/stdin --seconds 5 --yes <"$work/ca.crt" >"$work/verdict" 2>&1 || true
  check "nexus verify, through nginx" "verdict: every limit held" "$(tail -n 1 "$work/verdict")"
else
  echo "skip  nexus verify: its calls would be billed"
fi
if curl --silent --fail --max-time 5 --output /dev/null "$prometheus/-/ready"; then
  check "Prometheus reads every gateway" "$many" "$(eventually 40 "$many" ups)"
else
  echo "skip  Prometheus: nothing answers at $prometheus"
fi

echo "- One gateway is killed"
new_key
victim=$(gateways | head -n 1)
docker kill "$victim" >/dev/null
many_chats 40 0.12
check "40 chats are answered (the slowest in $(slowest_ms) ms)" 40 "$(answered)"
docker start "$victim" >/dev/null
health() { docker inspect -f '{{.State.Health.Status}}' "$victim"; }
check "it comes back" healthy "$(eventually 40 healthy health)"

echo "- All are restarted, one after another"
new_key
restarts() { for id in $(gateways); do docker restart --time 60 "$id" >/dev/null && sleep 2; done; }
restarts &
restarting=$!
many_chats 100 0.12
check "100 chats are answered (the slowest in $(slowest_ms) ms)" 100 "$(answered)"
wait $restarting
check "and all share their limits again" "$(all_of ok)" "$(eventually 20 "$(all_of ok)" states)"

echo "- Redis is stopped"
new_key
docker compose stop --timeout 10 redis >/dev/null 2>&1
many_chats 30 0.2
check "30 chats at 5 a second are answered" 30 "$(answered)"
check_between "none of them waits (the slowest took $(slowest_ms) ms)" 0 3000 "$(slowest_ms)"
check "/health of every gateway says degraded" "$(all_of degraded)" "$(states)"
new_key
started=$(date +%s%N)
many_chats 150 0.02
most=$((20 + ($(date +%s%N) - started) / 100000000 + 1))
check_between "of 150 at once, the gateways' parts of a limit let through no more than the limit ($(answered) of at most $most)" \
  $((most / 2)) $most "$(answered)"
check "and the others are refused with 429" 150 $(($(answered) + $(answered 429)))
docker compose start redis >/dev/null 2>&1
check "Redis is started: every gateway shares its limits again" "$(all_of ok)" "$(eventually 20 "$(all_of ok)" states)"
check "and each sees all $many" "$(all_of "$many")" "$(eventually 20 "$(all_of "$many")" counts)"

echo "- One gateway is cut off from Redis"
new_key
victim=$(gateways | head -n 1)
disconnect state "$victim"
many_chats 30 0.12
check "30 chats are answered" 30 "$(answered)"
check_between "none of them waits (the slowest took $(slowest_ms) ms)" 0 3000 "$(slowest_ms)"
check "it says degraded, the others don't" "degraded $(all_of ok | cut -d' ' -f2-)" "$(states)"
new_key
started=$(date +%s%N)
many_chats 150 0.02
# The others have the whole limit, and the one that is cut off keeps its part of it.
most=$(((20 + ($(date +%s%N) - started) / 100000000) * (many + 1) / many + 2))
check_between "of 150 at once, a key's limit lets through at most its part more ($(answered) of at most $most)" 20 $most "$(answered)"
reconnect
check "it is back: every gateway shares its limits again" "$(all_of ok)" "$(eventually 20 "$(all_of ok)" states)"

echo "- One gateway is cut off from nginx"
new_key
many_chats 12 0.12
disconnect edge "$victim"
many_chats 100 0.12
# A request on its way into the void may have been forwarded: it is told as failed, and not sent again.
check "100 chats are answered, or failed for sure ($(answered) and $(answered 502))" 100 $(($(answered) + $(answered 502)))
check_between "at most those fail that are sent before its address is forgotten" 0 20 "$(answered 502)"
check_between "none of them hangs (the slowest took $(slowest_ms) ms)" 0 35000 "$(slowest_ms)"
reconnect
new_key
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 3
many_chats 30 0.12
check "it is back: 30 chats are answered" 30 "$(answered)"
check "by every one of $many gateways" "$many" "$(docker compose logs --no-log-prefix --since "$since" nginx | grep -o '"instance":"[0-9][^",]*"' | sort -u | wc -l)"

[ $failed = 0 ] && echo "all is well"
exit $failed
