# SPDX-License-Identifier: GPL-2.0-or-later
# rollbackdir.bats - --checkpoint-rollback: files that no process has open go back to the checkpoint's state too. One node
# is lost for most of these tests.

load helpers

HOME_DIR=/shared/home/alice
BTRFS=/mnt/rollback # of n1

setup_file() {
	have_spank_cr || return 0
	on n0 alice tee sql.py <<-'END' >/dev/null
		import os, sqlite3
		job, dir = os.environ["SLURM_JOB_ID"], "rb.sql"
		wal = sqlite3.connect(dir + "/wal.db", isolation_level=None)
		wal.execute("pragma journal_mode = wal")
		wal.execute("pragma wal_autocheckpoint = 20")
		wal.execute("create table t (n integer primary key, text)")
		with sqlite3.connect(dir + "/plain.db") as plain:
		    plain.execute("create table t (n integer primary key, text)")
		n = 0
		while not os.path.exists("stop." + job):
		    wal.execute("begin immediate")
		    wal.execute("insert into t values (?, ?)", (n, "w" * 100))
		    wal.execute("commit")
		    plain = sqlite3.connect(dir + "/plain.db", isolation_level=None)
		    plain.execute("begin immediate")
		    plain.execute("insert into t values (?, ?)", (n, "p" * 100))
		    plain.execute("commit")
		    n += 1
		    for db in wal, plain:
		        rows = db.execute("select count(*), min(n), max(n) from t").fetchone()
		        if rows != (n, 0, n - 1):
		            print("rows", rows, "instead of", n, flush=True)
		    plain.close()
		    print(n, flush=True)
		for name in "wal", "plain":
		    db = sqlite3.connect(dir + "/" + name + ".db")
		    print(name, db.execute("pragma integrity_check").fetchone()[0], db.execute("select count(*) from t").fetchone()[0] - n)
		print("end", flush=True)
	END
	# shellcheck disable=SC2016 # expanded in the job
	local home='i=0; until [ -e "stop.$SLURM_JOB_ID" ]; do echo $i >>rb.home/log; echo $((i++)); sleep 0.05; done
		echo end >>rb.home/log; echo end'
	# shellcheck disable=SC2016
	local files='cd rb.files; mkdir sub empty gone moved; seq 1000 >a; head -c 16M /dev/urandom >big; seq 10000 >grown; echo one >rewritten; echo k >kept
		echo d >sub/deleted; echo n >name; ln -s kept link; ln -s kept relinked; ln kept sub/hard; echo m >mode; chmod 640 mode
		echo i >inplace; echo r >gone/r; truncate -s 50M sparse; exec 7>>open; echo a >&7; cd ..; echo ready
		until [ -e "go.$SLURM_JOB_ID" ]; do sleep 0.1; done
		cd rb.files; seq 10 >>grown; echo two >rewritten; rm sub/deleted sub/hard; echo c >created; mv name renamed
		ln -sfn /etc/passwd relinked; chmod 600 mode; sed -i s/i/j/ inplace; rm -r gone empty; mkdir new; echo x >new/x; mv moved to
		ln -s /etc new/etc; echo x >empty; rm link; mkdir link; echo x >link/x; echo x >>sparse; echo b >&7; cd ..; echo changed
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done; echo c >&7; echo end'
	# it is written under a temporary name and renamed when it is whole; there is no copy of it
	# shellcheck disable=SC2016
	local model='exec 7>rb.model/model.tmp; seq 1000 >&7; echo one >rb.second/state; echo ready
		until [ -e "go.$SLURM_JOB_ID" ]; do sleep 0.1; done
		seq 5 >&7; mv rb.model/model.tmp rb.model/model.bin; echo two >rb.second/state; echo changed
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done; cat rb.second/state; echo last >&7; echo end'
	on n0 alice bash -c 'rm -rf rb.* && mkdir rb.files rb.sql rb.home rb.planted rb.target && mkdir -m 700 rb.home/ck &&
		echo precious >rb.target/log && mkdir -p rb.way/in rb.trap/in rb.model rb.second rb.untouched rb.outside &&
		echo precious >rb.trap/in/log'
	on n0 root bash -c "cd $HOME_DIR/rb.files && echo theirs >theirs && chown bob theirs"
	only_n1 # which has four processors
	submit_as files --oversubscribe --checkpoint-rollback=rb.files --output=out.%j "$files"
	submit_as sql --oversubscribe --checkpoint-rollback=rb.sql --output=out.%j 'exec python3 sql.py'
	submit_as home --oversubscribe --checkpoint-rollback=rb.home --output=rb.home/out.%j --checkpoint-dir="$HOME_DIR/rb.home/ck" "$home"
	# shellcheck disable=SC2016
	submit_as planted --oversubscribe --checkpoint-fallback=fresh --checkpoint-rollback=rb.planted --output=out.%j 'echo begin; i=0; while :; do echo $((i++)) >>rb.planted/log; sleep 0.1; done'
	# shellcheck disable=SC2016
	submit_as way --oversubscribe --checkpoint-fallback=fresh --checkpoint-rollback=rb.way/in --output=out.%j 'echo begin; i=0; while :; do echo $((i++)) >>rb.way/in/log; sleep 0.1; done'
	submit_as model --oversubscribe --checkpoint-files=truncate --checkpoint-rollback=rb.model --checkpoint-rollback=rb.second --output=out.%j "$model"
	submit_as refused --oversubscribe --checkpoint-fallback=fresh --checkpoint-rollback=rb.untouched --output=out.%j 'exec 7>>rb.outside/f; echo begin >>rb.untouched/log; echo ready; sleep 600'
	wait_file alice "out.$(job files)" ready 30
	wait_file alice "out.$(job sql)" '^20$' 30
	wait_file alice rb.home/log '^20$' 30
	wait_file alice rb.planted/log '^5$' 30
	wait_file alice rb.way/in/log '^5$' 30
	wait_file alice "out.$(job model)" ready 30
	wait_file alice "out.$(job refused)" ready 30
	on n0 alice scheckpoint create "$(job files)"
	# in the archive this lies before the large file
	on n0 alice bash -c 'seq 77 >>rb.files/a'
	list_tree >"$BATS_FILE_TMPDIR/before"
	for name in files sql home planted way model refused; do
		on n0 alice scheckpoint create "$(job $name)"
	done
	manifest "$(job files)" 1 . >"$BATS_FILE_TMPDIR/first"
	manifest "$(job files)" 2 . >"$BATS_FILE_TMPDIR/second"
	on n0 alice touch "go.$(job files)"
	wait_file alice "out.$(job files)" changed 30
	on n0 alice rm "go.$(job files)"
	on n0 root bash -c "cd $HOME_DIR/rb.files && echo more >>theirs && echo others >others && chown bob others"
	list_tree >"$BATS_FILE_TMPDIR/changed"
	wait_longer "out.$(job sql)" 20
	wait_longer rb.home/log 20
	on n0 alice touch "go.$(job model)"
	wait_file alice "out.$(job model)" changed 30
	on n0 alice rm "go.$(job model)"
	on n0 root scontrol update nodename=n2 state=resume
	lose_node n1
	on n0 alice bash -c 'mv rb.planted rb.moved && ln -s rb.target rb.planted && mv rb.way rb.gone && ln -s rb.trap rb.way &&
		echo later >>rb.untouched/log && touch rb.untouched/new'
	on n0 root bash -c "cd $HOME_DIR/rb.outside && echo theirs >g && chown bob g && chmod 666 g && mv g f"
	for name in files sql home model; do
		wait_restored "$(job $name)" 1 90
	done
	list_tree >"$BATS_FILE_TMPDIR/after"
	for name in planted way refused; do
		wait_restarts "$(job $name)" 1 90
	done
	all_started
}

# list_tree - what tells two states of the directory of the job "files" apart
list_tree() {
	on n0 alice bash -c 'cd rb.files && LC_ALL=C; export LC_ALL
		find . -user alice -printf "%P %y %m %n %T@ %l %s\n" | sed -E "s/^([^ ]* d .*) [0-9]+$/\1/" | sort
		find . -user alice -type f -exec sha256sum {} + | sort -k2'
}

setup() {
	need_spank_cr
}

teardown_file() {
	cancel_all
	on n0 root scontrol update nodename=n2 state=resume 2>/dev/null || true
	on n1 root bash -c "! mountpoint -q $BTRFS || umount $BTRFS; rm -f /var/tmp/rollback.img" || true
	site_arguments_reset
	all_started
}

# rollbacks NODE JOB - the list that crinit was started with
rollbacks() {
	on "$1" root cat "/proc/$(crinit_pid "$1" "$2")/cmdline" | tr '\0' '\n' >"$BATS_TEST_TMPDIR/cmdline"
	grep -q '^--rollback=' "$BATS_TEST_TMPDIR/cmdline" || echo "no --rollback= at all"
	sed -n 's/^--rollback=//p' "$BATS_TEST_TMPDIR/cmdline"
}

@test "files and directories that were changed in any way are as they were at the checkpoint" {
	job=$(job files)
	not diff "$BATS_FILE_TMPDIR/before" "$BATS_FILE_TMPDIR/changed" >/dev/null
	diff "$BATS_FILE_TMPDIR/before" "$BATS_FILE_TMPDIR/after"
	# and the descriptor that the job has there stands where it stood
	on n0 alice touch "go.$job"
	finish "$job"
	[ "$(on n0 alice cat rb.files/open)" = $'a\nb\nc' ]
	[ "$(on n0 alice stat -c %b rb.files/sparse)" -lt 2000 ]
}

@test "what belongs to somebody else in the directory is left alone" {
	[ "$(on n0 root cat $HOME_DIR/rb.files/theirs)" = $'theirs\nmore' ]
	[ "$(on n0 root cat $HOME_DIR/rb.files/others)" = others ]
	[ "$(on n0 root stat -c %U $HOME_DIR/rb.files/others)" = bob ]
}

@test "the second checkpoint stores little of what has not changed" {
	jq -c '[.image_bytes, .stored_bytes, .freeze_ms, .rollbacks]' "$BATS_FILE_TMPDIR/first" "$BATS_FILE_TMPDIR/second"
	[ "$(jq .image_bytes "$BATS_FILE_TMPDIR/first")" -gt $((16 << 20)) ]
	[ "$(jq .stored_bytes "$BATS_FILE_TMPDIR/first")" -gt $((16 << 20)) ]
	[ "$(jq .image_bytes "$BATS_FILE_TMPDIR/second")" -gt $((16 << 20)) ]
	[ "$(jq .stored_bytes "$BATS_FILE_TMPDIR/second")" -lt $((1 << 20)) ]
	[ "$(jq -r '.rollbacks[].path' "$BATS_FILE_TMPDIR/second")" = "$HOME_DIR/rb.files" ]
}

@test "an SQLite database in a transaction at any time is whole, with the rows that the program knows of" {
	job=$(job sql)
	wait_longer "out.$job" 20
	finish "$job"
	on n0 alice grep -vE '^[0-9]+$|^slurmstepd' "out.$job" >"$BATS_TEST_TMPDIR/said"
	diff - "$BATS_TEST_TMPDIR/said" <<<$'wal ok 0\nplain ok 0\nend'
}

@test "a shell loop that appends loses no line; checkpoints and output that lie in the directory are no part of it" {
	job=$(job home)
	wait_longer rb.home/log 20
	on n0 root grep 'rb.home: .* names, ' "$(store "$job")/crinit.log"
	# the next one is as small as the first
	on n0 alice scheckpoint create "$job"
	generation=$(newest "$job")
	[ "$(manifest "$job" "$generation" .image_bytes)" -lt $((8 << 20)) ]
	# shellcheck disable=SC2016 # expanded over there
	names=$(on n0 root sed -nE 's/.*rb\.home: ([0-9]+) names, .*/\1/p' "$(store "$job")/crinit.log" | sort -u)
	# the directory itself, ck, log, out
	[ "$names" = 4 ]
	finish "$job"
	counted rb.home/log
	counted "rb.home/out.$job"
}

@test "a symbolic link in the directory's place is not followed, and the job begins anew" {
	job=$(job planted)
	on n0 root jq -r 'select(.event == "restore-failed").text' "$(store "$job")/journal.jsonl" | grep 'rb.planted is a symbolic link'
	on n0 alice grep -q precious rb.target/log
	# of the job that began anew only lines are added there
	[ "$(on n0 alice head -1 rb.target/log)" = precious ]
	on n0 root scancel "$job"
}

@test "nor is one on the way to the directory" {
	job=$(job way)
	wait_until 30 began_anew "$job"
	on n0 root jq -r 'select(.event == "restore-failed").text' "$(store "$job")/journal.jsonl" | grep 'a symbolic link leads to .*rb.way/in'
	[ "$(on n0 alice head -1 rb.trap/in/log)" = precious ]
	on n0 root scancel "$job"
}

# began_anew JOB
began_anew() {
	on n0 root jq -r .event "$(store "$1")/journal.jsonl" | grep -qx fresh
}

@test "a file that was open under a temporary name and renamed since is there again, without a copy of it; two directories go back" {
	job=$(job model)
	on n0 alice ls rb.model
	[ "$(on n0 alice ls rb.model)" = model.tmp ]
	on n0 alice touch "go.$job"
	finish "$job"
	on n0 alice cmp rb.model/model.bin - < <(seq 1000; seq 5; echo last)
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job")" = $'ready\nchanged\ntwo\nend' ]
}

@test "a restore that is refused for an open file has not changed the directory" {
	job=$(job refused)
	wait_until 30 began_anew "$job"
	on n0 root jq -r 'select(.event == "restore-failed").text' "$(store "$job")/journal.jsonl" | grep 'rb.outside/f was replaced by a file of user'
	# of the job that began anew is only the last line
	wait_file alice "out.$job" ready 30
	[ "$(on n0 alice cat rb.untouched/log)" = $'begin\nlater\nbegin' ]
	on n0 alice test -e rb.untouched/new
	on n0 root scancel "$job"
}

@test "the option may be given several times, in the script too, with any names, and lasts over a requeue" {
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice bash -c 'mkdir -p rb.a "rb.b :%,@" "$(printf "rb.c\n\303\244\377")"
		printf "%s\n" "#!/bin/bash" "#SBATCH --checkpoint-rollback=rb.a" "#SBATCH --checkpoint=1h --output=out.%j" \
			"cd $PWD" "sbatch --checkpoint=1h --output=/dev/null --parsable --wrap \"sleep 600\" >nested.\$SLURM_JOB_ID" \
			"echo ready; until [ -e stop.\$SLURM_JOB_ID ]; do sleep 0.1; done" >rb.sh'
	want="$HOME_DIR/rb.a:$HOME_DIR/rb.b%20%3A%25%2C%40:$HOME_DIR/rb.c%0A%C3%A4%FF"
	# shellcheck disable=SC2016
	job=$(on n0 alice bash -c 'exec sbatch --parsable --nodelist=n1 --export=NONE --checkpoint-rollback="rb.b :%,@" \
		--checkpoint-rollback="$(printf "rb.c\n\303\244\377")" rb.sh')
	wait_file alice "out.$job" ready 60
	[ "$(rollbacks n1 "$job")" = "$want" ]
	nested=$(on n0 alice cat "nested.$job")
	wait_state "$nested" RUNNING 30
	wait_until 20 crinit_pid "$(job_field "$nested" BatchHost)" "$nested"
	[ -z "$(rollbacks "$(job_field "$nested" BatchHost)" "$nested")" ]
	on n0 root scancel "$nested"
	# of what Slurm carries the list in nothing reaches the job
	in_job n1 "$job" bash -c "tr '\\0' '\\n' </proc/1000/environ" >"$BATS_TEST_TMPDIR/environ" ||
		in_job n1 "$job" bash -c "cat /proc/[0-9]*/environ | tr '\\0' '\\n'" >"$BATS_TEST_TMPDIR/environ"
	grep -q '^SLURM_JOB_ID=' "$BATS_TEST_TMPDIR/environ"
	not grep -aE '^_SLURM_SPANK_OPTION_|^SLURM_SPANK__SLURM_SPANK_OPTION_.*rollback' "$BATS_TEST_TMPDIR/environ"
	requeue "$job"
	[ "$(rollbacks n1 "$job")" = "$want" ]
	on n0 alice scheckpoint create "$job"
	[ "$(manifest "$job" "$(newest "$job")" '.rollbacks | length')" = 3 ]
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 30
}

# refused PATTERN OPTION... - one line of ours, and no job
refused() {
	local pattern=$1 before
	shift
	before=$(on n0 root scontrol --oneliner show jobs | wc -l)
	run on n0 alice timeout 20 sbatch "$@" <<<$'#!/bin/bash\nsleep 60'
	echo "$*: $status $output"
	[ "$status" != 0 ]
	[ "$(grep -c 'spank_cr: ' <<<"$output")" = 1 ]
	grep -qE "spank_cr: --checkpoint-rollback.*$pattern" <<<"$output"
	[ "$(on n0 root scontrol --oneliner show jobs | wc -l)" = "$before" ]
}

@test "a directory that cannot be rolled back is refused with one line" {
	on n0 alice bash -c 'mkdir -p rb.a/in; ln -sfn rb.a rb.link; touch rb.file'
	on n0 bob mkdir -p rb.theirs
	refused 'rb.none: No such file' --checkpoint-rollback=rb.none
	refused 'rb.file: not a directory' --checkpoint-rollback=rb.file
	refused 'rb.link: a symbolic link' --checkpoint-rollback=rb.link
	refused 'rb.link/: a symbolic link' --checkpoint-rollback=rb.link/
	refused '=/: not a directory for one job' --checkpoint-rollback=/
	refused '/tmp: there every job has' --checkpoint-rollback=/tmp
	refused '/proc: has no files' --checkpoint-rollback=/proc
	refused '/shared/checkpoints: belongs to somebody else' --checkpoint-rollback=/shared/checkpoints
	refused '/usr: belongs to somebody else' --checkpoint-rollback=/usr
	refused 'rb.a: the same as' --checkpoint-rollback=rb.a --checkpoint-rollback=rb.a/
	refused 'rb.a/in: is within, or holds,' --checkpoint-rollback=rb.a --checkpoint-rollback=rb.a/in
	refused 'rb.a: is within, or holds,' --checkpoint-rollback=rb.a/in --checkpoint-rollback=rb.a
	refused 'needs a directory' --checkpoint-rollback=
}

@test "with more than the site allows the checkpoint fails with sizes in its line, and the job goes on" {
	on n0 alice bash -c 'mkdir -p rb.limit; head -c 3M /dev/urandom >rb.limit/f'
	site_arguments rollback_limit=2M
	job=$(submit --checkpoint=1h --output=out.%j --checkpoint-rollback=rb.limit "$COUNT")
	wait_file alice "out.$job" '^5$' 30
	run on n0 alice scheckpoint create "$job"
	echo "$output"
	[ "$status" != 0 ]
	grep -q "$HOME_DIR/rb.limit holds 3 MiB, and the site allows 2 MiB (rollback_limit)" <<<"$output"
	on n0 alice truncate -s 1M rb.limit/f
	on n0 alice scheckpoint create "$job"
	site_arguments_reset
	finish "$job"
	counted "out.$job"
}

@test "where files can be cloned they are, and the job stands still for no more than that" {
	on n1 root sh -c 'command -v mkfs.btrfs' >/dev/null || skip "there is no mkfs.btrfs in this cluster (TESTBED_PROGRAMS=1 has it)"
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c 'mknod /dev/loop-control c 10 237; for i in {0..31}; do [ -e "/dev/loop$i" ] || mknod "/dev/loop$i" b 7 "$i"; done' || true
	on n1 root bash -c "mkdir -p $BTRFS && truncate -s 1G /var/tmp/rollback.img && mkfs.btrfs -q -f /var/tmp/rollback.img &&
		mount -o loop /var/tmp/rollback.img $BTRFS && install -d -o alice -m 700 $BTRFS/ck $BTRFS/data" ||
		skip "btrfs cannot be mounted here"
	on n0 root install -d -o alice -m 700 "$BTRFS" "$BTRFS/ck" "$BTRFS/data"
	on n1 alice bash -c "head -c 256M /dev/urandom >$BTRFS/data/big; for i in {1..100}; do echo \$i >$BTRFS/data/\$i; done; sync"
	job=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j --checkpoint-dir="$BTRFS/ck" --checkpoint-rollback="$BTRFS/data" \
		"i=0; until [ -e stop.\$SLURM_JOB_ID ]; do echo \$((i++)) >>$BTRFS/data/log; sleep 0.05; done; echo end >>$BTRFS/data/log")
	wait_until 30 on n1 alice grep -qx 20 "$BTRFS/data/log"
	on n0 alice scheckpoint create "$job"
	on n1 root grep rollback: "$BTRFS/ck/$job/batch.0/crinit.log" | sed "s/^/# /" >&3
	on n1 root grep -E "rollback: $BTRFS/data: 103 names, [0-9]+ bytes, cloned in [0-9]+ ms" "$BTRFS/ck/$job/batch.0/crinit.log"
	# 256 MiB are not read in that time
	freeze=$(on n1 root jq .freeze_ms "$BTRFS/ck/$job/batch.0/000001/manifest.json")
	drain=$(on n1 root jq .drain_ms "$BTRFS/ck/$job/batch.0/000001/manifest.json")
	echo "# freeze $freeze ms, drain $drain ms" >&3
	[ "$freeze" -lt "$drain" ]
	[ "$(on n1 root jq .image_bytes "$BTRFS/ck/$job/batch.0/000001/manifest.json")" -gt $((256 << 20)) ]
	# of the clones nothing stays
	[ -z "$(on n1 root find "$BTRFS/ck" -name 'clones*')" ]
	on n1 alice bash -c "echo more >>$BTRFS/data/big; rm $BTRFS/data/5; echo x >$BTRFS/data/new"
	"$TESTBED" status
	on n0 root scontrol requeue "$job"
	wait_restarts "$job" 1 60
	wait_until 30 on n1 root grep -q '"event":"restored"\|"event": "restored"' "$BTRFS/ck/$job/batch.0/journal.jsonl"
	finish "$job"
	# shellcheck disable=SC2016 # awk's
	on n1 root awk '$0 == "end" { exit } $0 != n++ { print "line " NR; exit 1 }' "$BTRFS/data/log"
}
