# SPDX-License-Identifier: GPL-2.0-or-later
# rollback.bats - what a job finds on the node where it goes on, some seconds of work back: files, directories, clocks,
# processes. One node is lost for all of these tests.

load helpers

setup_file() {
	have_spank_cr || return 0
	on n0 alice tee outputs.py <<-'END' >/dev/null
		import os, sys, time
		job = os.environ["SLURM_JOB_ID"]
		data, log = open("data." + job, "w+b", buffering=0), open("log." + job, "ab", buffering=0)
		n = 0
		while not os.path.exists("stop." + job):
		    data.seek(n * 7)
		    data.write(b"%06d\n" % n)
		    log.write(b"%06d\n" % n)
		    print(n, flush=True)
		    print(n, file=sys.stderr, flush=True)
		    n += 1
		    time.sleep(0.05)
		print("end", flush=True)
		print("end", file=sys.stderr, flush=True)
	END
	on n0 alice tee clock.py <<-'END' >/dev/null
		import os, time
		job = os.environ["SLURM_JOB_ID"]
		clocks = {"MONOTONIC": time.CLOCK_MONOTONIC, "BOOTTIME": time.CLOCK_BOOTTIME}
		last = {name: time.clock_gettime(id) for name, id in clocks.items()}
		print("ready", flush=True)
		while not os.path.exists("stop." + job):
		    for name, id in clocks.items():
		        now = time.clock_gettime(id)
		        if not 0 <= now - last[name] < 5:
		            print(name, "jumped by", now - last[name], flush=True)
		        last[name] = now
		    time.sleep(0.1)
		print("end", flush=True)
	END
	# shellcheck disable=SC2016 # expanded in the job
	local private='mkdir -m 750 /tmp/d; echo "$RANDOM" >/tmp/d/f; ln -s d/f /tmp/l; chmod 604 /tmp/d/f; mkfifo /tmp/p
		head -c 300000 /dev/urandom >/var/tmp/v; head -c 300000 /dev/urandom >/dev/shm/s; exec 7>/tmp/open; echo a >&7
		sha256sum /tmp/d/f /tmp/l /var/tmp/v /dev/shm/s >"sums.$SLURM_JOB_ID"
		stat -c "%n %F %a %U" /tmp /var/tmp /dev/shm /tmp/* /tmp/d/f >"stat.$SLURM_JOB_ID"; echo ready
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done
		echo b >&7; cat /tmp/open; sha256sum -c --quiet "sums.$SLURM_JOB_ID" && echo same
		stat -c "%n %F %a %U" /tmp /var/tmp /dev/shm /tmp/* /tmp/d/f | diff "stat.$SLURM_JOB_ID" - && echo end'
	# shellcheck disable=SC2016
	local daemons='loop() { i=0; while :; do echo $((i++)) >>"$1.$SLURM_JOB_ID"; sleep 0.1; done; }; export -f loop
		nohup bash -c "loop nohup" >/dev/null 2>&1 </dev/null &
		(setsid bash -c "loop setsid & exec >/dev/null 2>&1 </dev/null; loop daemon &" &)
		sleep 0.5; until [ -s daemon.$SLURM_JOB_ID ] && [ -s nohup.$SLURM_JOB_ID ]; do sleep 0.1; done; echo ready
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done; echo end'
	only_n1
	submit_as outputs --output=out.%j --error=errors.%j 'exec python3 outputs.py'
	submit_as clock --output=out.%j 'exec python3 clock.py'
	submit_as private --output=out.%j "$private"
	submit_as daemons --output=out.%j "$daemons"
	wait_file alice "out.$(job outputs)" '^20$' 30
	for name in clock private daemons; do
		wait_file alice "out.$(job $name)" ready 30
	done
	for name in outputs clock private daemons; do
		on n0 alice scheckpoint create "$(job $name)"
	done
	wait_longer "out.$(job outputs)" 10
	sleep 1
	# what was written after the checkpoint is there, and will have to go
	lose_n1 outputs clock private daemons
	all_started
}

setup() {
	need_spank_cr
}

teardown_file() {
	nodes_back
}

@test "no process of a restored job has a capability, and crinit what it had" {
	for name in outputs clock private daemons; do
		[ "$(job_field "$(job $name)" BatchHost)" = n2 ]
		capabilities n2 "$(job $name)" >"$BATS_TEST_TMPDIR/caps"
		cat "$BATS_TEST_TMPDIR/caps"
		grep -qE '^10[0-9]+ ' "$BATS_TEST_TMPDIR/caps"
		[ -z "$(grep -vE '^1 |CapInh:0{16} CapPrm:0{16} CapEff:0{16} CapAmb:0{16}$' "$BATS_TEST_TMPDIR/caps")" ]
		caps=$(sed -nE 's/^1 crinit .*CapEff:([0-9a-f]{16}) .*/\1/p' "$BATS_TEST_TMPDIR/caps")
		# CAP_CHECKPOINT_RESTORE, and at the most CAP_SETPCAP and CAP_SYS_PTRACE
		[ $((0x$caps & 1 << 40)) != 0 ]
		[ $((0x$caps & ~(1 << 40 | 1 << 8 | 1 << 19))) = 0 ]
		grep -qx "1 crinit CapInh:$caps CapPrm:$caps CapEff:$caps CapAmb:$caps" "$BATS_TEST_TMPDIR/caps"
	done
}

@test "stdout, stderr and files that the program writes are put back, and no line is lost or there twice" {
	job=$(job outputs)
	finish "$job"
	counted "out.$job"
	counted "errors.$job"
	[ "$(lines "out.$job")" -gt 21 ]
	# shellcheck disable=SC2016
	on n0 alice bash -c 'lines=$(($(grep -vc ^slurmstepd "out.$1") - 1))
		seq -f %06.0f 0 $((lines - 1)) | cmp - "data.$1" && seq -f %06.0f 0 $((lines - 1)) | cmp - "log.$1"' bash "$job"
}

@test "CLOCK_MONOTONIC and CLOCK_BOOTTIME neither jump back nor leap" {
	job=$(job clock)
	# and once more, from a checkpoint of a restored job
	requeue "$job"
	finish "$job"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job")" = $'ready\nend' ]
}

@test "the job's /tmp, /var/tmp and /dev/shm are its own, and travel with the checkpoint" {
	job=$(job private)
	not on n2 root ls /tmp/d /tmp/open /var/tmp/v /dev/shm/s
	finish "$job"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job")" = $'ready\na\nb\nsame\nend' ]
	nothing_left n2 "$job"
}

@test "what the script left running by itself (nohup, setsid, two forks) goes on too, and ends with the job" {
	job=$(job daemons)
	for name in nohup setsid daemon; do
		wait_longer "$name.$job" 20
	done
	finish "$job"
	nothing_left n2 "$job"
}
