# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Counted commands of tests/run, which sources this; the counts and the summary are the whole run's, $work is its folder.
passed=0 failed=0 not_run=0 summary=()

# check NAME CMD…   one command is one test; of one that failed what failed first and the end are said again in the summary
check() {
  local name=$1
  shift
  if "$@" 2>&1 | tee "$work/said"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    summary+=("$(grep -m 1 -B 15 -A 15 'fatal: ' "$work/said"; tail -n 30 "$work/said")" "failed: $name: $*")
  fi
}

skip() { not_run=$((not_run + 1)) summary+=("not run: $1"); }

# twice CMD…   run again when it fails, for what waits for a whole cluster may fail for the machine's sake; the summary says so
twice() {
  "$@" && return
  echo "failed once, run again: $*" | tee -a "$work/again"
  "$@"
}

# Pytest's options of pyproject.toml, but for the one by which it would not note what failed.
without_cache_off() { sed -n 's/^addopts = "\(.*\)-p no:cacheprovider \(.*\)"$/\1\2/p' pyproject.toml; }

# tests NAME CMD…   a pytest command, counted by its reports; a run without a report is one failure. With again=OPTION what
# failed is run once more, with that option; the summary has its first failure, too.
tests() {
  local name=$1 rc=0 counts reports=("$work/$1.xml") noted=()
  shift
  [ -z "${again:-}" ] || noted=(-o "addopts=$(without_cache_off)" -o cache_dir="$work/pytest")
  "$@" "${noted[@]}" --junitxml="${reports[0]}" 2>&1 || rc=$?
  if [ "$rc" -eq 1 ] && [ "${again:-}" ]; then
    summary+=("failed once, run again: $name" "$(python tests/count.py --failed "${reports[0]}" | sed 's/^failed: /once: /')")
    reports+=("$work/$name.again.xml") rc=0
    "$@" "$again" "${noted[@]}" --junitxml="${reports[1]}" 2>&1 || rc=$?
  fi
  if ! counts=$(python tests/count.py "${reports[@]}"); then
    failed=$((failed + 1))
    summary+=("failed: $name: no report (exit status $rc)")
    return
  fi
  read -r -a counts <<<"$counts"
  passed=$((passed + counts[0])) failed=$((failed + counts[1])) not_run=$((not_run + counts[2]))
  if [ "$rc" -ne 0 ] && [ "${counts[1]}" -eq 0 ]; then
    failed=$((failed + 1))
  fi
  if [ "$rc" -ne 0 ]; then summary+=("$(python tests/count.py --failed "${reports[-1]}")" "failed: $name"); fi
}
