# Uses as many millicores as the file says, measured by its own CPU time: it earns credit while time passes and spins while it has some.
# All times are in hundredths of a second, as in /proc; credit and used are in thousandths of that.
trap 'exit 0' TERM
uptime() { read -r up _ </proc/uptime || exit 1; now=${up%.*}${up#*.}; }
used() {
  read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system children_user children_system _ </proc/self/stat || exit 1
  used=$(((user + system + children_user + children_system) * 1000))
}
uptime
last=$now
used
credit=$used
while :; do
  sleep 1
  milli=0
  read -r milli </load/millicores || :
  uptime
  credit=$((credit + (now - last) * ${milli:-0}))
  last=$now
  used
  # Where the CPU is not to be had, what was missed is not made up for.
  [ $((credit - used)) -gt 100000 ] && credit=$((used + 100000))
  while [ "$used" -lt "$credit" ]; do
    i=0
    while [ $i -lt 200 ]; do i=$((i + 1)); done
    used
  done
done
