#!/bin/sh
# Installs packages of Debian: testbed/install.sh PACKAGE...
# Needs root. Waits up to five minutes for another apt to end, and asks a mirror again that
# fails for a moment.
set -eu

if ! command -v apt-get >/dev/null; then
	echo "no apt-get here: install with this system's own tool what Debian calls $*" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "only root may install them: apt-get install $*" >&2
	exit 1
fi

echo "installing $*"
# apt-get waits for dpkg's lock alone, not for that of the lists.
tries=150
until said=$(LC_ALL=C apt-get update -qq -o Acquire::Retries=3 2>&1); do
	case $said in
	*"Could not get lock"*) tries=$((tries - 1)) ;;
	*) tries=0 ;;
	esac
	if [ "$tries" = 0 ]; then
		echo "$said" >&2
		exit 1
	fi
	sleep 2
done
DEBIAN_FRONTEND=noninteractive exec apt-get install -y -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
