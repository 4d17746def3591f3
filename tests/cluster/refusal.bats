# SPDX-License-Identifier: GPL-2.0-or-later
# refusal.bats - programs that cannot be checkpointed: create fails and says why, the job goes on

bats_require_minimum_version 1.5.0
load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# refused PATTERN SCRIPT - SCRIPT says ready, and cannot be checkpointed; it counts on all the same
refused() {
	job=$(submit --checkpoint=1h --output=out.%j --error=errors.%j "$2 & until [ -e ready.\$SLURM_JOB_ID ]; do sleep 0.1; done
		$COUNT; kill %1")
	wait_file alice "out.$job" '^5$' 30
	run --separate-stderr on n0 alice scheckpoint create "$job"
	echo "$stderr"
	[ "$status" = 1 ]
	[ -z "$output" ]
	[ "$(grep -c . <<<"$stderr")" = 1 ]
	grep -qiE "$1" <<<"$stderr"
	[ "$(records "$job" 'map("\(.state) \(.reason)") | join(",")')" = "failed user" ]
	records "$job" '.[0].error' | grep -iE "$1"
	wait_longer "out.$job" 20
	# nothing half-written stays, criu's log does
	on n0 alice test -s "$(store "$job")/failed/dump.log"
	[ -z "$(on n0 alice find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
	finish "$job"
	counted "out.$job"
	[ "$(on n0 alice grep -c 'spank_cr: ' "errors.$job")" = 1 ]
	# by the look some seconds after its start, when that is first
	on n0 alice grep -iE "spank_cr: .*(no checkpoint|as it is now): .*($1)" "errors.$job"
}

@test "a program with a seccomp filter" {
	on n0 alice tee seccomp.py <<-'END' >/dev/null
		import ctypes, os, struct, time
		libc = ctypes.CDLL(None, use_errno=True)
		allow = struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000)
		code = ctypes.create_string_buffer(allow, len(allow))
		filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))
		assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0
		open("ready." + os.environ["SLURM_JOB_ID"], "w")
		time.sleep(1000)
	END
	refused seccomp 'python3 seccomp.py'
}

@test "a program with an established TCP connection" {
	on n0 alice tee tcp.py <<-'END' >/dev/null
		import os, socket, time
		server = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(server.getsockname())
		peer, _ = server.accept()
		open("ready." + os.environ["SLURM_JOB_ID"], "w")
		time.sleep(1000)
	END
	refused 'tcp|connect' 'python3 tcp.py'
}

@test "a script that waits for an srun" {
	refused 'srun|socket|connect|tcp' 'srun --overlap sh -c "touch ready.$SLURM_JOB_ID; sleep 1000"'
}

# unable [STATEMENT] - a job that counts, has a checkpoint, and now a connection with which there will be no other; its program
# begins with STATEMENT. Sets job
unable() {
	on n0 alice tee later.py <<-END >/dev/null
		import os, signal, socket, sys, time
		${1:-}
		job = os.environ["SLURM_JOB_ID"]
		n, pair = 0, None
		while not os.path.exists("stop." + job):
		    print(n, flush=True)
		    n += 1
		    time.sleep(0.1)
		    if pair is None and os.path.exists("connect." + job):
		        server = socket.create_server(("127.0.0.1", 0))
		        pair = socket.create_connection(server.getsockname()), server.accept(), server
		        open("connected." + job, "w")
		print("end", flush=True)
	END
	job=$(submit --checkpoint=1h --output=out.%j --error=errors.%j 'exec python3 later.py')
	wait_file alice "out.$job" '^5$' 30
	on n0 alice scheckpoint create "$job"
	on n0 alice touch "connect.$job"
	wait_until 20 on n0 alice test -e "connected.$job"
	on n0 alice rm "connect.$job"
}

@test "a job that cannot be checkpointed when it is requeued ends in time, and starts from its newest checkpoint" {
	unable
	on n0 root scontrol requeue "$job"
	wait_restored "$job" 1 40
	[ "$(records "$job" 'map("\(.generation) \(.state) \(.reason) \(.restores)") | join(",")')" = \
		"1 committed user 1,2 failed requeue 0" ]
	wait_longer "out.$job" 20
	finish "$job"
	counted "out.$job"
}

@test "a program that ends with 0 because Slurm ended the job is not complete: it goes on from its newest checkpoint" {
	unable 'signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))'
	on n0 root scontrol requeue "$job"
	wait_restored "$job" 1 40
	finish "$job"
	counted "out.$job"
}
