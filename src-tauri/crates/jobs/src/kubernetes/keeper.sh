# The first process of a job's container: waits for the command, runs it, shows what it prints, and stays until the outputs are
# fetched. Arguments: the job's id, how many seconds it stays for somebody who does not come, and its exit code when nobody sent
# a command: one that is no failure where it would be started again.
set -u
umask 077
base=$HOME/.cache/lapwing
job=$base/jobs/$1
mkdir -p "$job" || exit 70
: >"$base/pod"

wrapper='' mirror=''
end() {
  if [ -n "$wrapper" ]; then
    kill -TERM "$wrapper" 2>/dev/null
    wait "$wrapper"
  fi
  exit 143
}
trap end TERM

# Waits for a file, or until the time is over.
await() {
  left=$(($2 * 5))
  until [ -e "$1" ] || [ ! -d "$job" ]; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.2 2>/dev/null || { sleep 1; left=$((left - 4)); }
  done
}

await "$job/go" "$2" || { echo "nobody sent the command"; exit "${3:-75}"; }
[ -d "$job" ] || exit 0
read -r limit agent <"$job/go"
: >>"$job/output.log"
tail -n +1 -f "$job/output.log" &
mirror=$!
sh "$base/$agent" "$base" wrap "$1" "$limit" </dev/null >>"$job/wrap.log" 2>&1 &
wrapper=$!
wait "$wrapper"
wrapper=
# Who has the outputs removes the job's folder.
code=$(cat "$job/exit" 2>/dev/null)
# The end of the log is shown before this process ends.
sleep 1
kill "$mirror" 2>/dev/null
await "$job/fetched" "$2"
case $code in
  '') exit 1 ;;
  timeout) exit 124 ;;
  cancelled) exit 143 ;;
  *) exit "$code" ;;
esac
