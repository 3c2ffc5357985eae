#!/usr/bin/env bash
# Builds the harnesses with coverage and the address sanitizer and runs one of them; README.md says more.
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 3 ]; then
    echo "usage: $0 safetensors|config|tokenizer|template [RUNS [SECONDS]]" >&2
    exit 64
fi
harness=$1
runs=${2:-2000000}
seconds=${3:-600}
cd "$(dirname "$0")"
[ -d "Seeds/$harness" ] || { echo "$0: there is no harness '$harness'" >&2; exit 64; }

flags=(-c release -Xswiftc -sanitize=fuzzer,address)
swift build "${flags[@]}"
program=$(swift build "${flags[@]}" --show-bin-path)/Fuzz

corpus=.build/corpus/$harness
findings=.build/findings/$harness
mkdir -p "$corpus" "$findings"

# Files of the golden data that are short enough to be mutated well join the seeds of the repository.
golden=../Tests/Golden
copy() {
    for file in "$@"; do
        if [ "$(wc -c <"$file")" -le 4096 ]; then cp "$file" "$corpus/$(echo "${file#"$golden"/}" | tr / -)"; fi
    done
}
case $harness in
    safetensors) copy $golden/quant/*.safetensors ;;
    config) copy $golden/models/*/config.json $golden/models/*/hf_quant_config.json ;;
    template) copy $golden/tokenizer/*/chat_template.jinja ;;
esac

# Symbolizing a report can take minutes; `llvm-symbolizer` does it afterwards if need be.
export ASAN_OPTIONS=symbolize=0:${ASAN_OPTIONS:-}
# Swift's own crash handler would come before libFuzzer's, which saves the input.
export SWIFT_BACKTRACE=enable=no
exec "$program" "$harness" "$corpus" "Seeds/$harness" \
    -runs="$runs" -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=2048 \
    -dict="Dictionaries/$harness.dict" -artifact_prefix="$findings/" -print_final_stats=1
