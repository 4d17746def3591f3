# SPDX-License-Identifier: GPL-2.0-or-later
# identity.bats - what a process is beyond its memory: the time it has waited, its limits, priorities, processors and groups;
# and how it learns what is new. One node is lost for the first of these tests.

load helpers

# what the waits of clocks.c take, seconds; they are dumped after six, and must not end before the node does
WAIT=$((20 + 10 * (PATIENCE - 1)))

setup_file() {
	have_spank_cr || return 0
	program clocks
	program identity
	on n0 alice tee sleeps.py <<-'END' >/dev/null
		import subprocess, sys, threading, time
		wait = int(sys.argv[1])
		def timed(name, call):
		    began = time.monotonic()
		    call()
		    print(name, int((time.monotonic() - began) * 1000), "ok", flush=True)
		event = threading.Event()
		calls = {"python-sleep": lambda: time.sleep(wait), "bash-sleep": lambda: subprocess.run(["bash", "-c", f"sleep {wait}; :"]),
		         "python-event": lambda: event.wait(wait), "read-timeout": lambda: subprocess.run(["bash", "-c", f"read -t {wait} <>/tmp/fifo"])}
		subprocess.run(["mkfifo", "/tmp/fifo"])
		threads = [threading.Thread(target=timed, args=call) for call in calls.items()]
		for thread in threads: thread.start()
		time.sleep(1)
		print("ready", flush=True)
		for thread in threads: thread.join()
		print("end", flush=True)
	END
	only_n1
	submit_as odd --output=out.%j --error=errors.%j -c 2 'exec ./identity 8'
	submit_as clocks --output=out.%j --error=errors.%j "exec ./clocks $WAIT"
	submit_as sleeps --output=out.%j --error=errors.%j "exec python3 sleeps.py $WAIT"
	for name in odd sleeps clocks; do
		wait_file alice "out.$(job $name)" ready 30
	done
	for name in clocks sleeps odd; do
		on n0 alice scheckpoint create "$(job $name)"
	done
	# a hard limit that is lower over there: jobs have what slurmd has
	# shellcheck disable=SC2016 # expanded over there
	on n2 root sh -c 'prlimit --pid "$(pgrep -o slurmd)" --msgqueue=500000:500000'
	lose_n1 odd clocks sleeps
	all_started
}

setup() {
	need_spank_cr
}

teardown_file() {
	on n0 root groupdel since 2>/dev/null || true
	cancel_all
	on n0 root scontrol update nodename=n2 state=resume 2>/dev/null || true
	# nobody can give slurmd its limit back
	"$TESTBED" kill-node n2
	all_started
}

# same JOB - what identity.c said last is what it said first
same() {
	on n0 alice grep '^first ' "out.$1" | cut -d' ' -f2- >"$BATS_TEST_TMPDIR/first"
	on n0 alice grep '^again ' "out.$1" | cut -d' ' -f2- >"$BATS_TEST_TMPDIR/again"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/first")" -ge 20 ]
	diff "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/again"
}

# waited FILE - every wait took as long as was asked for, on the job's clock
waited() {
	# shellcheck disable=SC2016 # awk's
	on n0 alice awk -v least=$((WAIT * 1000)) -v most=$(((WAIT + 5 * PATIENCE) * 1000)) '
		NF != 3 { next }
		{ n++ }
		# criu ends these, see doc/identity.md; the kernel may end them at any signal, too
		$1 ~ /^(nanosleep|poll|epoll|futex)$/ && $3 == "EINTR" && $2 >= 5000 && $2 < most { next }
		$3 == "ok" && $2 >= least && $2 <= most { next }
		$1 ~ /^itimer-(virtual|prof)$/ && $3 == "ok" { next }
		{ print; bad = 1 }
		END { if (n == 0) print "nothing waited"; exit bad || n == 0 }' "$1"
}

@test "limits, priorities, processors and the rest of a process and its threads are as before" {
	job=$(job odd)
	[ "$(job_field "$job" BatchHost)" = n2 ]
	finish "$job"
	same "$job"
	# more than one of the threads had a processor to itself
	grep -qE '^thread [0-9] .*processors [0-9]+$' "$BATS_TEST_TMPDIR/first"
}

@test "a hard limit that is lower on the new node stays, and one line says so" {
	errors=$(on n0 alice grep 'spank_cr: ' "errors.$(job clocks)")
	echo "$errors"
	[ "$(grep -c . <<<"$errors")" = 1 ]
	grep -qE 'not as before: RLIMIT_MSGQUEUE of process [0-9]+ is 500000 with a hard limit of 500000, and was [0-9]+ with [0-9]+' \
		<<<"$errors"
}

@test "sleeps, timeouts and timers go on as if the time between had not been" {
	wait_file alice "out.$(job clocks)" '^end$' $((WAIT + 30))
	on n0 alice cat "out.$(job clocks)"
	[ "$(on n0 alice grep -cE '^[a-z-]+ [0-9]+ ' "out.$(job clocks)")" = 21 ]
	waited "out.$(job clocks)"
}

@test "sleeps of the shell and of Python, too" {
	wait_file alice "out.$(job sleeps)" '^end$' $((WAIT + 30))
	on n0 alice cat "out.$(job sleeps)"
	[ "$(on n0 alice grep -cE '^[a-z-]+ [0-9]+ ok' "out.$(job sleeps)")" = 4 ]
	waited "out.$(job sleeps)"
}

@test "a process with 1,000 threads is frozen for no time that matters" {
	job=$(submit --checkpoint=1h -c 2 --output=out.%j 'exec ./identity 1000')
	wait_file alice "out.$job" ready 60
	requeue "$job"
	[ "$(records "$job" '.[0].freeze_ms')" -lt $((5000 * PATIENCE)) ]
	finish "$job"
	same "$job"
	[ "$(grep -c ^thread "$BATS_TEST_TMPDIR/first")" = 1001 ]
}

@test "groups are those of the checkpoint: one that came since does not matter, one that was taken does not come back" {
	job=$(submit --checkpoint=1h --output=out.%j "echo \$(id -G); $COUNT; id -G")
	wait_file alice "out.$job" '^5$' 30
	on n0 root sh -c 'groupadd -g 2222 since && usermod -aG since alice && scontrol reconfigure'
	requeue "$job"
	node=$(job_field "$job" BatchHost)
	on "$node" root grep -E "spank_cr: .*job $job: generation 1 is restored without group 2222" /var/log/slurm/slurmd.log
	finish "$job"
	[ "$(on n0 alice sh -c "head -1 'out.$job'; tail -1 'out.$job'" | sort -u)" = 1001 ]
	taken=$(submit --checkpoint=1h --checkpoint-fallback=fresh --output=out.%j --error=errors.%j "id -G; $COUNT")
	wait_file alice "out.$taken" '^5$' 30
	[ "$(on n0 alice head -1 "out.$taken")" = "1001 2222" ]
	on n0 root sh -c 'groupdel since && scontrol reconfigure'
	on n0 root scontrol requeue "$taken"
	wait_restarts "$taken" 1 40
	wait_file alice "out.$taken" '^5$' 30
	[ "$(on n0 alice head -1 "out.$taken")" = 1001 ]
	on n0 alice grep -E 'spank_cr: .*generation 1 is passed over: its processes are in group 2222' "errors.$taken"
	finish "$taken"
}

# told - a program that says what it is told, beside one that does not want to know
told() {
	on n0 alice tee told.py <<-'END' >/dev/null
		import os, shlex, signal, time
		job = os.environ["SLURM_JOB_ID"]
		def tell(name):
		    lines = [line.split("=", 1) for line in open(os.environ["SPANK_CR_INFO"])]
		    info = {key: shlex.split(value)[0] for key, value in lines}
		    print(name, *(info.get(key, "-") for key in ("SPANK_CR_EVENT", "SPANK_CR_GENERATION", "SPANK_CR_REASON",
		          "SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURM_JOB_NODELIST", "HOSTNAME", "SLURM_CPUS_ON_NODE")), flush=True)
		signal.signal(signal.SIGUSR1, lambda *_: tell("USR1"))
		signal.signal(signal.SIGUSR2, lambda *_: tell("USR2"))
		tell("start")
		while not os.path.exists("stop." + job):
		    time.sleep(0.1)
		tell("end")
	END
	job=$(submit --checkpoint=1h --output=out.%j "$@" 'sleep 1000 & python3 told.py; kill %1 && echo alive')
	wait_file alice "out.$job" '^start ' 30
}

@test "programs that want to know are told before a checkpoint and after a restore, and find what is new" {
	on n0 root scontrol update nodename=n2 state=drain reason="to start on n1"
	told --checkpoint-signal=USR1,SIGUSR2
	on n0 alice scheckpoint create "$job"
	on n0 root scontrol update nodename=n2 state=resume
	on n0 root scontrol update nodename=n1 state=drain reason="to go on on n2"
	requeue "$job"
	on n0 root scontrol update nodename=n1 state=resume
	wait_file alice "out.$job" '^USR2 ' 10
	finish "$job"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job")" = "start start 0 - $job 0 n1 n1 1
USR1 checkpoint 1 user $job 0 n1 n1 1
USR1 checkpoint 2 requeue $job 0 n1 n1 1
USR2 restore 2 requeue $job 1 n2 n2 1
end restore 2 requeue $job 1 n2 n2 1
alive" ]
}

@test "Slurm does not wait a minute for a program that wants to be told a minute before" {
	told --checkpoint-signal=10@60
	on n0 alice scheckpoint create "$job" >"$BATS_TEST_TMPDIR/created" 2>&1 3>&- &
	wait_file alice "out.$job" '^USR1 checkpoint 1 user ' 10
	requeue "$job"
	# it was not committed yet, and gave way to the last one
	wait $! || cat "$BATS_TEST_TMPDIR/created"
	finish "$job"
	on n0 alice cat "out.$job"
	on n0 alice grep -E '^USR1 checkpoint 2 requeue ' "out.$job"
	on n0 alice grep -E '^USR1 restore 2 requeue ' "out.$job"
}

@test "without --checkpoint-signal nobody is signalled; the file is there all the same" {
	told
	on n0 alice scheckpoint create "$job"
	requeue "$job"
	# shellcheck disable=SC2016 # expanded over there
	node=$(job_field "$job" BatchHost)
	[ "$(in_job "$node" "$job" sh -c '. "$1"; echo "$SPANK_CR_EVENT $SPANK_CR_GENERATION $HOSTNAME $SLURM_RESTART_COUNT"' sh \
		/run/spank_cr/home/info)" = "restore 2 $node 1" ]
	finish "$job"
	[ "$(on n0 alice grep -c '^USR' "out.$job")" = 0 ]
	nothing_left "$node" "$job"
}
