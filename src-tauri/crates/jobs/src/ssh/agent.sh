#!/bin/sh
# Lapwing's hand on another machine: POSIX sh and what every Unix has, so that nothing has to be installed there.
# Called as `sh agent.sh FOLDER VERB ARGUMENTS`. Arguments hold letters, digits and `._/-` only, because the user's login
# shell (fish, csh …) reads them; everything else comes on standard input.
#
#   FOLDER/files/abcd…         contents by their SHA-256
#   FOLDER/environments/HASH   Python environments
#   FOLDER/jobs/ID/            tree, command.sh, pid or slurm-id, output.log, exit
set -u
[ -z "${LC_ALL+set}" ] || LAPWING_LC_ALL=$LC_ALL
export LC_ALL=C
: "${LAPWING_UMASK=$(umask)}"
export LAPWING_UMASK
umask 077
agent=bin/${0##*/}
folder=$1 verb=$2
shift 2
# What a login script may have printed ends here.
[ "$verb" = wrap ] || echo lapwing-begin

fail() {
  echo "$2" >&2
  exit "$1"
}

{ cd "$HOME" && cd "$folder"; } || fail 70 "the folder $folder cannot be opened"
base=$(pwd -P)

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum -- "$@"; else shasum -a 256 -- "$@"; fi
}

rest() { sleep "$1" 2>/dev/null || sleep 1; }

# When a process began, or nothing when it has ended: a number alone may be another process by now.
born() {
  if [ -r /proc/self/stat ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || return 1
    shift 19
    echo "$1-$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  else
    started=$(ps -o lstart= -p "$1" 2>/dev/null) || return 1
    [ -n "$started" ] || return 1
    echo "$started" | tr -s ' ' -
  fi
}

in_own_session() {
  if command -v setsid >/dev/null 2>&1; then
    exec setsid "$@"
  elif command -v perl >/dev/null 2>&1; then
    exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' -- "$@"
  fi
  exec python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# Which of the contents named on stdin are not here. The others are marked as used.
have() {
  while read -r hash; do
    if [ -f "files/$hash" ]; then echo "files/$hash" >&3; else echo "$hash"; fi
  done 3>"incoming.$$"
  tr '\n' '\0' <"incoming.$$" | xargs -0 touch -c -- 2>/dev/null
  rm -f "incoming.$$"
}

# Takes contents in, as a tar whose names are their digests.
put() {
  in=$base/incoming.$$
  mkdir "$in" || exit 70
  trap 'rm -rf "$in"' EXIT
  trap 'exit 70' HUP INT TERM PIPE
  tar -x -m -f - -C "$in" || exit 70
  cd "$in" || exit 70
  # Their names are digests.
  # shellcheck disable=SC2035
  sums=$(digest *) || exit 70
  echo "$sums" | while read -r hash name; do [ "$hash" = "$name" ] || fail 74 "$name"; done || exit
  # A name must not outlive a power cut that its content does not.
  sync -f . 2>/dev/null || :
  # shellcheck disable=SC2035
  mv -f * "$base/files/" || exit 70
}

# Lays out a job's working tree; stdin: `MODE HASH PATH` lines, and `folder - PATH` for what has to be there empty.
tree() {
  [ ! -d "jobs/$1/tree" ] || return 0
  rm -rf "jobs/$1/tree.new"
  mkdir -p "jobs/$1/tree.new" && cd "jobs/$1/tree.new" || exit 70
  # A process for each file takes its time where there are thousands.
  if command -v python3 >/dev/null 2>&1; then
    python3 -c '
import os, shutil, sys
for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
    kind, digest, path = line.split(b" ", 2)
    source = os.path.join(os.fsencode(sys.argv[1]), b"files", digest)
    os.makedirs(path if kind == b"folder" else os.path.dirname(path) or b".", exist_ok=True)
    if kind == b"link":
        with open(source, "rb") as file:
            os.symlink(file.read(), path)
    elif kind != b"folder":
        shutil.copyfile(source, path)
        if kind == b"program":
            os.chmod(path, 0o700)
' "$base" || exit 70
    mv ../tree.new ../tree || exit 70
    return
  fi
  made=
  while IFS= read -r line; do
    mode=${line%% *} line=${line#* }
    hash=${line%% *} path=${line#* }
    [ "$mode" != folder ] || { mkdir -p -- "$path" || exit 70; continue; }
    case $path in
      */*) [ "${path%/*}" = "$made" ] || { made=${path%/*} && mkdir -p -- "$made" || exit 70; } ;;
    esac
    file=$base/files/$hash
    case $mode in
      link) ln -s -- "$(cat "$file")" "$path" || exit 70 ;;
      program) cp -- "$file" "$path" && chmod 700 -- "$path" || exit 70 ;;
      *) cp -- "$file" "$path" || exit 70 ;;
    esac
  done
  mv ../tree.new ../tree || exit 70
}

# Keeps stdin as a file of the job.
file() {
  mkdir -p "jobs/$1" && cat >"jobs/$1/$2.new" && mv -f "jobs/$1/$2.new" "jobs/$1/$2" || exit 70
}

# Holds the folder LOCK until this process ends. Waits for a holder that lives, and says so once.
alone() {
  lock=$1 tries=0
  until mkdir "$lock" 2>/dev/null; do
    holder='' tries=$((tries + 1))
    read -r holder holder_born 2>/dev/null <"$lock/pid"
    if [ -n "$holder" ] && [ "$(born "$holder")" != "$holder_born" ] || [ -z "$holder" ] && [ "$tries" -gt 20 ]; then
      rm -rf "$lock"
    else
      [ "$tries" -ne 1 ] || [ -z "$2" ] || echo "$2"
      rest 0.5
    fi
  done
  echo "$$ $(born $$)" >"$lock/pid"
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 70' HUP INT TERM PIPE
}

find_uv() {
  PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin:$base/bin command -v uv
}

# Makes environment HASH of the file of the tree that stdin names, as `requirements` or as a `project`. A second line says which
# Python, as `>=3.11`; an empty one takes any.
environment() {
  place=$base/environments/$2 lock=$base/environments/$2.lock
  IFS= read -r named
  IFS= read -r version
  # Where packages come from, when the job says so.
  # shellcheck disable=SC1090
  . "$base/jobs/$1/index.sh"
  alone "$lock" "another job makes this environment: waiting for it"
  if [ -e "$place/.lapwing-complete" ]; then
    touch "$place/.lapwing-complete"
    return 0
  fi
  uv=$(find_uv) || exit 72
  cd "jobs/$1/tree" || exit 70
  set -- "$place" "$3"
  if [ "$2" = project ]; then
    cd "$(dirname "./$named")" || exit 70
    echo "making the environment of pyproject.toml with uv"
    if [ -z "$version" ]; then set -- "$1"; else set -- "$1" --python "$version"; fi
    UV_PROJECT_ENVIRONMENT=$1
    export UV_PROJECT_ENVIRONMENT
    shift
    "$uv" sync --no-install-project "$@" 2>&1 || exit 73
  else
    echo "making a Python environment with uv"
    if [ -z "$version" ]; then set -- "$1"; else set -- "$1" --python "$version"; fi
    "$uv" venv --quiet --clear "$@" 2>&1 || exit 73
    echo "installing packages"
    VIRTUAL_ENV=$1 "$uv" pip install -r "$named" 2>&1 || exit 73
  fi
  : >"$place/.lapwing-complete"
}

# Whether the Python of the image has everything that the requirements file of the tree asks for, which stdin names.
satisfied() {
  IFS= read -r named
  cd "jobs/$1/tree" || exit 70
  if python3 -m pip --disable-pip-version-check install --no-index -r "$named" >/dev/null 2>&1; then echo yes; else echo no; fi
}

# A Python program on stdin, in an environment and in the tree.
python() {
  cd "jobs/$1/tree" || exit 70
  if [ "$2" = image ]; then python3 -; else "$base/environments/$2/bin/python" -; fi
}

# A program on stdin, for everything that comes after; its digest is named.
tool() {
  cat >"bin/$1.$$" || exit 70
  [ "$(digest "bin/$1.$$" | cut -d ' ' -f 1)" = "$2" ] || fail 74 "$1"
  chmod 700 "bin/$1.$$" && "bin/$1.$$" --version && mv -f "bin/$1.$$" "bin/$1" || exit 72
}

start() {
  if [ -e pod ]; then
    # The pod's first process runs it: the pod ends with the command.
    [ -e "jobs/$1/go" ] || { echo "$2 $agent" >"jobs/$1/go.new" && mv "jobs/$1/go.new" "jobs/$1/go" || exit 70; }
  elif [ ! -d "jobs/$1/claimed" ]; then
    (in_own_session nohup sh "$base/$agent" "$base" wrap "$1" "$2" </dev/null >/dev/null 2>>"jobs/$1/wrap.log") &
  fi
  tries=0
  until [ -e "jobs/$1/pid" ] || [ -e "jobs/$1/exit" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || fail 75 "$(cat "jobs/$1/wrap.log" 2>/dev/null)"
    rest 0.1
  done
}

# Runs the command, from a session of its own, and leaves the exit code behind.
wrap() {
  cd "jobs/$1" || exit 70
  # Whoever makes this folder is the one who runs it.
  mkdir claimed 2>/dev/null || exit 0
  : >>output.log
  # Room for the end marker is taken now: the disk may be full then.
  echo '                ' >exit.new
  # The command sees the user's own settings.
  if [ -n "${LAPWING_LC_ALL+set}" ]; then LC_ALL=$LAPWING_LC_ALL; else unset LC_ALL; fi
  reach
  umask "$LAPWING_UMASK"
  unset LAPWING_UMASK LAPWING_LC_ALL
  (in_own_session sh ./command.sh </dev/null >>output.log 2>&1) &
  child=$!
  echo "$child $(born "$child") $$ $(born $$)" >pid.new && mv pid.new pid
  clock=
  if [ "$2" != 0 ]; then
    (in_own_session sh "$base/$agent" "$base" limit "$1" "$2" "$child" </dev/null >/dev/null 2>&1) &
    clock=$!
  fi
  # A scheduler or a shutdown tells us, and we tell the command.
  trap 'kill -TERM "-$child" 2>/dev/null' TERM
  wait "$child"
  code=$?
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  [ -z "$clock" ] || kill -KILL "-$clock" 2>/dev/null
  # What it left behind in its group would go on unseen.
  kill -KILL "-$child" 2>/dev/null
  end "$code"
}

# On a node of a cluster, leads to the tunnels that end on its login node.
reach() {
  [ -e tunnels ] && [ "$(uname -n)" != "$(cat login 2>/dev/null)" ] && command -v python3 >/dev/null 2>&1 || return 0
  while read -r port; do
    here=$(python3 relay.py reach "relay-$port" $$) && echo "relayed_$port=$here"
  done <tunnels >ports.sh
}

# On the login node, for as long as somebody follows.
serve() {
  [ -e tunnels ] && command -v python3 >/dev/null 2>&1 || return 0
  relays=
  while read -r port; do
    python3 relay.py serve "$port" "relay-$port" $$ </dev/null >/dev/null 2>&1 &
    relays="$relays $!"
  done <tunnels
  # shellcheck disable=SC2086
  trap 'kill $relays 2>/dev/null' EXIT
  trap 'exit 70' HUP INT TERM PIPE
}

end() {
  [ ! -e timed-out ] || set -- timeout
  until echo "$1" 1<>exit.new && mv exit.new exit; do sleep 5; done
}

# Gives the job to Slurm; stdin: options of sbatch, one a line. The comment finds it again.
submit() {
  cd "jobs/$1" || exit 70
  [ ! -e slurm-id ] || return 0
  uname -n >login
  jobs=$(bounded squeue -h -u "$(id -un)" -o '%i %k') || exit 76
  slurm_id=$(echo "$jobs" | while read -r number comment; do [ "$comment" != "lapwing-$1" ] || echo "$number"; done | head -n 1)
  if [ -z "$slurm_id" ]; then
    printf '#!/bin/sh\nexec sh "%s" "%s" wrap "%s" "%s"\n' "$base/$agent" "$base" "$1" "$2" >batch.sh || exit 70
    set -- "--comment=lapwing-$1" --parsable --no-requeue --open-mode=append "--output=$base/jobs/$1/wrap.log" "--chdir=$base/jobs/$1"
    while IFS= read -r option; do set -- "$@" "$option"; done
    # A cluster of several names itself behind a semicolon.
    slurm_id=$(bounded sbatch "$@" batch.sh) || exit 76
    slurm_id=${slurm_id%%;*}
  fi
  echo "$slurm_id" >slurm-id.new && mv slurm-id.new slurm-id || exit 70
}

# The same for one of several that are alike, as a task of the array that the first of them makes: all held, and each let go when
# its files are here. A cluster that takes no array of that size gets them one by one. Stdin: what `--array` takes, then options as
# for `submit`.
member() {
  cd "jobs/$1" || exit 70
  [ ! -e slurm-id ] || return 0
  uname -n >login
  IFS= read -r range
  options=$(cat)
  array=$base/arrays/$3
  mkdir -p "$array" || exit 70
  echo "$1 $2" >"$array/$4.new" && mv -f "$array/$4.new" "$array/$4" || exit 70
  alone "$array.lock" ''
  if [ -e "$array/refused" ] || { [ ! -s "$array/slurm-id" ] && ! gather "$3" "$range"; }; then
    cd "$base" || exit 70
    # What is wrong with the options themselves is said of this job.
    printf '%s\n' "$options" | submit "$1" "$2" || exit
    : >"$array/refused"
    return 0
  fi
  ln -sf "$array/wrap-$4.log" wrap.log || exit 70
  read -r slurm_id <"$array/slurm-id"
  said=$(slurm_state "${slurm_id}_$4") || exit 76
  case $said in *Held*) bounded scontrol release "${slurm_id}_$4" || exit 76 ;; esac
  echo "${slurm_id}_$4" >slurm-id.new && mv slurm-id.new slurm-id || exit 70
}

# Gives the array itself to Slurm; false when Slurm does not take it. A node may see a file some time after it was written.
gather() {
  cat >"$array/batch.sh" <<END || exit 70
#!/bin/sh
tries=0
until read -r id limit <"$array/\$SLURM_ARRAY_TASK_ID" || [ "\$tries" -ge 60 ]; do tries=\$((tries + 1)); sleep 1; done
[ -n "\$id" ] || exit 70
exec sh "$base/$agent" "$base" wrap "\$id" "\$limit"
END
  slurm_id=$(array_id "$1") || exit 76
  if [ -z "$slurm_id" ]; then
    set -- "--comment=lapwing-array-$1" "--array=$2" --hold --parsable --no-requeue --open-mode=append "--output=$array/wrap-%a.log" "--chdir=$array"
    while IFS= read -r option; do set -- "$@" "$option"; done <<END
$options
END
    slurm_id=$(bounded sbatch "$@" "$array/batch.sh" 2>"$array/said")
    case $? in
      0) slurm_id=${slurm_id%%;*} ;;
      # It may have taken it, and was only late to say so.
      124) fail 76 "sbatch does not answer" ;;
      *) return 1 ;;
    esac
  fi
  echo "$slurm_id" >"$array/slurm-id.new" && mv "$array/slurm-id.new" "$array/slurm-id" || exit 70
}

# Slurm's number of the array with that name, if it is in the queue.
array_id() {
  jobs=$(bounded squeue -h -u "$(id -un)" -o '%F %k') || return 1
  echo "$jobs" | while read -r number comment; do [ "$comment" != "lapwing-array-$1" ] || echo "$number"; done | head -n 1
}

# Ends what is left of an array: tasks that no job came for.
disband() {
  slurm_id=$(array_id "$1") || exit 76
  if [ -n "$slurm_id" ]; then
    said=$(bounded scancel "$slurm_id" 2>&1) || case $said in *[Ii]nvalid*) ;; *) fail 76 "$said" ;; esac
  fi
  rm -rf "arrays/$1" "arrays/$1.lock"
}

# A scheduler that does not answer hangs its clients for minutes.
bounded() {
  if command -v timeout >/dev/null 2>&1; then timeout 60 "$@"; else "$@"; fi
}

# `STATE REASON` as Slurm says, `UNKNOWN …` when it does not know the job any more, nothing when it does not answer.
slurm_state() {
  if said=$(bounded squeue -h -t all -j "$1" -o '%T %r' 2>&1); then
    [ -z "$said" ] || { echo "$said" | head -n 1; return 0; }
  else
    case $said in *"Invalid job id"*) ;; *) return 1 ;; esac
  fi
  said=$(bounded sacct -n -X -P -j "$1" -o State 2>/dev/null | head -n 1)
  echo "${said:-UNKNOWN}"
}

slurm_ended() {
  case $1 in
    PENDING* | CONFIGURING* | RUNNING* | COMPLETING* | SUSPENDED* | STOPPED* | REQUEUE* | RESIZING* | SIGNALING* | STAGE_OUT* | SPECIAL_EXIT*) return 1 ;;
  esac
}

# Ends the command when its time is over.
limit() {
  sleep "$2"
  : >"jobs/$1/timed-out"
  kill -TERM "-$3"
  sleep 10
  kill -KILL "-$3"
}

# Whether the wrapper lives: it alone writes the end marker.
lives() {
  read -r child child_born wrapper wrapper_born <pid 2>/dev/null || return 1
  [ "$(born "$wrapper")" = "$wrapper_born" ]
}

# Tells what happens from byte OFFSET of the log on, in frames: `log N` and N bytes, `state WORDS`, `alive`,
# `exit CODE STATE`, `gone STATE`.
follow() {
  cd "jobs/$1" 2>/dev/null || { echo gone; return 0; }
  offset=$2 quiet=0 slurm_id='' state='' late=0 asked=0
  if [ -e slurm-id ]; then
    read -r slurm_id <slurm-id
    serve
  fi
  while :; do
    code=
    [ ! -e exit ] || read -r code <./exit
    alive=1
    if [ -z "$code" ]; then
      if [ -n "$slurm_id" ]; then scheduled; else lives || alive=; fi
    fi
    size=$(wc -c 2>/dev/null <output.log || echo 0)
    size=$((size))
    if [ "$size" -gt "$offset" ]; then
      echo "log $((size - offset))"
      tail -c "+$((offset + 1))" output.log | head -c "$((size - offset))"
      offset=$size quiet=0
    fi
    if [ -n "$code" ]; then
      [ -z "$slurm_id" ] || [ "$code" = 0 ] || last_word
      echo "exit $code $state"
      return 0
    fi
    if [ -z "$alive" ] && [ ! -e exit ]; then
      echo "gone $state"
      return 0
    fi
    quiet=$((quiet + 1))
    # A reader that went away is noticed by writing to it.
    [ $((quiet % 20)) -ne 0 ] || echo alive
    if [ "$quiet" -lt 20 ]; then rest 0.1; elif [ "$quiet" -lt 100 ]; then rest 0.3; else rest 1; fi
  done
}

# Asks the scheduler now and then. A shared file system may show the end marker some time after Slurm says the end.
scheduled() {
  now=$(date +%s)
  [ "$now" -ge "$asked" ] || return 0
  asked=$((now + 2))
  said=$(slurm_state "$slurm_id") || said='UNREACHABLE'
  [ "$said" = "$state" ] || echo "state $said"
  state=$said
  [ "$state" != UNREACHABLE ] && slurm_ended "$state" || return 0
  late=$((late + 1))
  [ "$late" -lt 8 ] || alive=
}

# Why a command failed is known to the scheduler a moment later: out of memory, out of time, or its place was taken.
last_word() {
  tries=0
  until said=$(slurm_state "$slurm_id") && slurm_ended "$said" || [ "$tries" -ge 20 ]; do
    tries=$((tries + 1))
    rest 0.5
  done
  state=$said
}

# Ends the command with everything that it started.
stop() {
  cd "jobs/$1" 2>/dev/null || return 0
  # Nobody starts it from here on.
  if mkdir claimed 2>/dev/null; then
    echo cancelled >./exit
    [ -e slurm-id ] || return 0
  fi
  if [ -e slurm-id ]; then
    read -r slurm_id <slurm-id
    bounded scancel "$slurm_id"
    return
  fi
  tries=0
  until [ -e pid ] || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); rest 0.1; done
  read -r child child_born wrapper wrapper_born <pid 2>/dev/null || return 0
  [ "$(born "$wrapper")" = "$wrapper_born" ] || [ "$(born "$child")" = "$child_born" ] || return 0
  kill -TERM "-$child" 2>/dev/null
  tries=0
  while [ ! -e exit ] && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); rest 0.1; done
  kill -KILL "-$child" 2>/dev/null
  tries=0
  while [ ! -e exit ] && [ "$tries" -lt 50 ] && lives; do tries=$((tries + 1)); rest 0.1; done
  return 0
}

# What was said beside the log: by the scheduler, or by the shell.
explain() {
  tail -c 4000 "jobs/$1/wrap.log" 2>/dev/null || :
}

# MLflow's files with run RUN in them, for a command that can reach no server.
store() {
  mkdir -p "jobs/$1/mlruns/0" && cd "jobs/$1/mlruns/0" || exit 70
  place=$(pwd -P)
  for part in metrics params tags artifacts; do mkdir -p "$2/$part" || exit 70; done
  cat >meta.yaml <<END || exit 70
artifact_location: file://$place
creation_time: 0
experiment_id: '0'
last_update_time: 0
lifecycle_stage: active
name: Default
END
  cat >"$2/meta.yaml" <<END || exit 70
artifact_uri: file://$place/$2/artifacts
end_time: null
entry_point_name: ''
experiment_id: '0'
lifecycle_stage: active
run_id: $2
run_name: $2
run_uuid: $2
source_name: ''
source_type: 4
source_version: ''
start_time: 0
status: 1
tags: []
user_id: ''
END
}

# `DIGEST  PATH` of every file beneath the paths named on stdin, in the tree or in another folder of the job.
outs() {
  cd "jobs/$1/${2-tree}" 2>/dev/null || return 0
  while IFS= read -r path; do
    [ ! -e "$path" ] || if command -v sha256sum >/dev/null 2>&1; then
      find "./$path" -type f -exec sha256sum -- {} + || exit 70
    else
      find "./$path" -type f -exec shasum -a 256 -- {} + || exit 70
    fi
  done
}

# The files named on stdin, as a tar.
get() {
  cd "jobs/$1/${2-tree}" || exit 70
  tar -c -f - -T - || exit 70
}

clean() {
  rm -rf "jobs/$1"
  # Contents that no job has asked for in 30 days, and environments in 90.
  find files -type f -mtime +30 -exec rm -f {} + 2>/dev/null
  find environments -maxdepth 2 -name .lapwing-complete -mtime +90 2>/dev/null | while IFS= read -r marker; do
    rm -f "$marker" && rm -rf "${marker%/*}"
  done
  return 0
}

"$verb" "$@"
