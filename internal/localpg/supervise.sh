# One throw-away Postgres, from initdb to rm.
#
# Our standard input is a pipe that the owner holds open: first comes this
# script, then nothing. It ends when the owner closes it or dies, be it by kill
# -9: then the server stops and its directory goes. So nobody has to clean up.
#
# Our standard output says in one line where the directory is. It ends when the
# server does.
#
# Arguments: the directory to make ours in, that of initdb and postgres, further
# arguments of postgres.
supervise() {
	parent=$1 bin=$2
	shift 2
	trap : HUP INT TERM # our end is the owner's end, nothing else

	dir=$(mktemp -d "$parent/rowlock.XXXXXX") || exit
	cd "$dir" || exit
	exec 2>log
	echo "$dir"

	if "$bin/initdb" -D data -U postgres --auth=trust --encoding=UTF8 --no-locale \
		--no-sync --no-instructions </dev/null >&2; then
		"$bin/postgres" -D data -c listen_addresses= -c unix_socket_directories="$dir" \
			"$@" </dev/null &
		server=$!
	fi

	exec >/dev/null # from here on only the server holds our standard output
	cat             # waits for the owner's end

	# In its first moments the server ignores SIGQUIT, as a shell's background
	# processes do, and dies of SIGTERM. Later both together mean: at once.
	if [ -n "$server" ]; then
		kill -TERM "$server"
		kill -QUIT "$server"
		wait "$server"
	fi
	cd / && rm -rf "$dir"
	exit
}

supervise "$@"
