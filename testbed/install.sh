#!/bin/sh
# Installs packages of Debian: testbed/install.sh PACKAGE...
# Needs root. Waits up to five minutes for another apt to end. What fails for a moment is
# asked for again: a mirror that does not answer, and one that no longer has what its list names.
set -eu

if ! command -v apt-get >/dev/null; then
	echo "no apt-get here: install with this system's own tool what Debian calls $*" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "only root may install them: apt-get install $*" >&2
	exit 1
fi

apt() {
	LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# update gets the lists. apt-get waits for dpkg's lock alone, not for that of the lists.
update() {
	tries=150
	until said=$(apt update 2>&1); do
		case $said in
		*"Could not get lock"*) tries=$((tries - 1)) ;;
		*) tries=0 ;;
		esac
		if [ "$tries" = 0 ]; then
			echo "$said" >&2
			return 1
		fi
		sleep 2
	done
}

echo "installing $*"
for pause in 0 5 20; do
	sleep "$pause"
	update || echo "the lists stay as they are" >&2
	if apt install -y "$@"; then
		exit
	fi
done
exit 1
