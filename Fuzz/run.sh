#!/usr/bin/env bash
# Builds the fuzzers and runs them one after another.
#
#   Fuzz/run.sh [LIMIT] [HARNESS...]
#
# LIMIT is a number of seconds (`600s`) or of inputs (`2000000`, the default) for each harness; if it is given as
# `2000000,600s`, whichever ends first. HARNESS is any of: json safetensors config tokenizer encoding template.
# What the fuzzers find lies in Fuzz/.build/findings; inputs that reach new code in Fuzz/.build/corpus.
set -euo pipefail
cd "$(dirname "$0")"

limit=${1:-2000000}
shift || true
harnesses=("$@")
if [ ${#harnesses[@]} -eq 0 ]; then harnesses=(json safetensors config tokenizer encoding template); fi

options=()
for part in ${limit//,/ }; do
    case "$part" in
        *s) options+=("-max_total_time=${part%s}") ;;
        *) options+=("-runs=$part") ;;
    esac
done

swift build -c release --product fuzz -Xswiftc -sanitize=fuzzer,address

# The symbolizer can hang; addresses are enough to reproduce a finding.
export ASAN_OPTIONS=symbolize=0:detect_leaks=0:quarantine_size_mb=16
NIBBLE_FUZZ_TOKENIZERS=$(printf '%s\n' ../Tests/Golden/tokenizer/{qwen,llama4}/tokenizer.json)
export NIBBLE_FUZZ_TOKENIZERS

mkdir -p .build/findings
status=0
for harness in "${harnesses[@]}"; do
    case "$harness" in
        template) dictionary=Dictionaries/jinja.dict ;;
        encoding) dictionary=Dictionaries/text.dict ;;
        *) dictionary=Dictionaries/json.dict ;;
    esac
    seeds=()
    if [ -d "Corpus/$harness" ]; then seeds+=("Corpus/$harness"); fi
    mkdir -p ".build/corpus/$harness"
    echo "== $harness"
    # A second for an input is far beyond what the limits of the readers allow.
    .build/release/fuzz "$harness" "${options[@]}" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix=".build/findings/$harness-" -dict="$dictionary" ".build/corpus/$harness" "${seeds[@]}" \
        2>&1 | tee ".build/findings/$harness.log" | grep -vE '^#[0-9]+|NEW_FUNC|NEW_PC' || status=1
done
exit $status
