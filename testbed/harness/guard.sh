# Cleans up after a bench whose owner died without closing it.
#
# usage: sh guard.sh FOLDER
# Standard input: a line "SIGNAL GROUP" for each process group started. The end
# of the input means that the owner is gone: every group gets its signal, last
# started first, and the folder is removed.
trap '' HUP INT TERM PIPE
folder=$1
groups=
while read -r signal group; do
	groups="$signal $group $groups"
done

# shellcheck disable=SC2086 # a list of words, to be split
set -- $groups
while [ $# -ge 2 ]; do
	kill -"$1" -- "-$2" 2>/dev/null
	shift 2
done

# A dying process may still write: try again for some five seconds.
tries=50
until rm -rf -- "$folder" 2>/dev/null || [ $tries -eq 0 ]; do
	tries=$((tries - 1))
	sleep 0.1
done

# shellcheck disable=SC2086
set -- $groups
while [ $# -ge 2 ]; do
	kill -KILL -- "-$2" 2>/dev/null
	shift 2
done
rm -rf -- "$folder"
