# SPDX-License-Identifier: GPL-2.0-or-later
# attack.bats - what the job's own user tries, inside of the job and on its node, and must not get

load helpers

setup_file() {
	have_spank_cr || return 0
	export JOB
	JOB=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j "$COUNT")
	wait_state "$JOB" RUNNING 60
	wait_file alice "out.$JOB" '^1$' 60
	on n1 root test -S "/run/spank_cr/$JOB/batch.0.sock"
}

setup() {
	need_spank_cr
}

teardown_file() {
	cancel_all
}

# as_alice SCRIPT [ARG]... - on the job's node, outside of the job
as_alice() {
	on n1 alice bash -c "$1" bash "${@:2}"
}

# child_cgroup - of the job, on its node
child_cgroup() {
	on n1 root find /sys/fs/cgroup -type d -name spank_cr -path "*job_$JOB/*" | head -1
}

@test "the child cgroup is root's: nobody moves a process into it, freezes it, or makes one below it" {
	local dir
	dir=$(child_cgroup)
	[ -n "$dir" ]
	[ "$(on n1 root stat -c %U "$dir" "$dir/cgroup.procs" | uniq)" = root ]
	run as_alice 'sleep 60 & echo $! >"$1/cgroup.procs" && echo gained; kill $!' "$dir"
	not grep gained <<<"$output"
	run as_alice 'for file in freezer.state cgroup.freeze cgroup.kill; do
		[ -e "$1/$file" ] && exec 9>"$1/$file" && echo gained
	done; exec 9>"$1/cgroup.procs" && echo gained' "$dir"
	not grep gained <<<"$output"
	run as_alice 'mkdir "$1/sub" && echo gained' "$dir"
	not grep gained <<<"$output"
}

@test "nothing of the node's /run is the user's to fill or to replace" {
	local dir
	for dir in "/run/spank_cr/$JOB" /run/spank_cr /run/spank_cr/home /run/spank_cr/sockets; do
		run as_alice '(echo x >"$1/x" || mkdir "$1/y" || ln -s / "$1/z") && echo gained' "$dir"
		not grep gained <<<"$output"
	done
	run as_alice 'rm -f "$1"; mv "$1" "$1.old"; [ -S "$1" ] || echo gained' "/run/spank_cr/$JOB/batch.0.sock"
	not grep gained <<<"$output"
	# who cannot read the directory cannot hold its lock, by which slurmd sees that the job lives
	run as_alice 'exec 9<"$1" && echo gained' "/run/spank_cr/$JOB"
	not grep gained <<<"$output"
}

@test "the sockets that criu connects to cannot be replaced from inside of the job" {
	local mine
	# shellcheck disable=SC2016 # expanded in the job
	mine=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j 'cd /run/spank_cr/sockets; ls
		for name in hook.sock streamer-capture.sock streamer-serve.sock; do
			[ -S $name ] || echo "gained: no $name"
			mv $name mine && echo gained; rm -f $name && [ ! -e $name ] && echo gained; ln -s /tmp/x new && echo gained
		done; mount -t tmpfs none . && echo gained; mv ../sockets ../other && echo gained; echo end')
	wait_state "$mine" COMPLETED 60
	on n0 alice cat "out.$mine"
	on n0 alice grep -qx end "out.$mine"
	on n0 alice grep -qx streamer-serve.sock "out.$mine"
	not on n0 alice grep gained "out.$mine"
}

@test "after all that the job is checkpointed, and goes on" {
	on n0 alice scheckpoint create "$JOB"
	[ "$(job_field "$JOB" JobState)" = RUNNING ]
}
