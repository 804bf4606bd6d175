package main

import (
	"context"
	"os"
	"os/exec"
)

// aptOpen reports whether we may install Debian packages: as root, or by a sudo
// that asks no password.
func aptOpen(ctx context.Context) bool {
	if !has("apt-get") {
		return false
	}
	return os.Getuid() == 0 || exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil
}

// aptScript installs the server without starting one: by itself the package
// makes a cluster "main" on port 5432 that starts with the machine. The line
// that prevents this stands only while we install, so that the machine's owner
// gets what he expects when he installs a server himself.
const aptScript = `set -e
conf=/etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends postgresql-common
line='create_main_cluster = false # for the moment: rowlock installs programs, not a server'
restore() {
	grep -vxF "$line" $conf >$conf.rowlock || true
	cat $conf.rowlock >$conf
	rm $conf.rowlock
}
trap restore EXIT
echo "$line" >>$conf
apt-get install -qy --no-install-recommends postgresql
`

func aptInstall(ctx context.Context) error {
	if os.Getuid() == 0 {
		return command(ctx, "", "sh", "-c", aptScript)
	}
	return command(ctx, "", "sudo", "-n", "sh", "-c", aptScript)
}
