/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* A proc directory made of plain files and dangling links: 1000 is the tree's root. */

#include "unit.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/pathlist.h"
#include "../../libcrcore/preflight_part.h"
#include "../../libcrcore/proc.h"

static const char *const spaces[] = {
	"user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time", "time_for_children"};

static struct cr_preflight found;

static void put(int pid, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(int pid, const char *name, const char *fmt, ...)
{
	char text[16384], path[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%d/%s", pid, name);
	unit_write(path, text);
}

static void dir(int pid, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%d%s%s", pid, *name ? "/" : "", name);
	ck_assert_msg(mkdir(unit_path(path), 0755) == 0 || errno == EEXIST, "%s", path);
}

static void open_as(int pid, int fd, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "%d/fd/%d", pid, fd);
	ck_assert_int_eq(symlink(link, unit_path(path)), 0);
}

/* A process that is fine; more is more lines of its status, of which the last of a kind is valid. */
static void process(int pid, int parent, const char *name, const char *more)
{
	const unsigned u = getuid(), g = getgid();
	char groups[1024] = "";
	gid_t mine[64];
	int n = getgroups(64, mine);

	for (int i = 0; i < n; i++)
		snprintf(groups + strlen(groups), sizeof(groups) - strlen(groups), "%u ", mine[i]);
	dir(pid, "");
	dir(pid, "fd");
	dir(pid, "fdinfo");
	dir(pid, "ns");
	put(pid, "status",
	    "Name:\t%s\nState:\tS (sleeping)\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\n"
	    "Gid:\t%u\t%u\t%u\t%u\nGroups:\t%s\nThreads:\t1\nCapPrm:\t0000000000000000\nSeccomp:\t0\n%s",
	    name, pid, parent, u, u, u, u, g, g, g, g, groups, more);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		char path[128], link[64];

		snprintf(path, sizeof(path), "%d/ns/%s", pid, spaces[i]);
		snprintf(link, sizeof(link), "%.4s:[%zu]", spaces[i], 4026531000 + (i < 8 ? i : 7));
		ck_assert_int_eq(symlink(link, unit_path(path)), 0);
	}
}

static const struct cr_preflight_unix nobody[] = {{.ino = 1}};

static uint64_t memory_left = 150 * 1024 * 1024;
static bool unhurried;

static void look_with(const struct cr_preflight_unix *sockets, size_t n, bool private_net)
{
	const struct cr_preflight_job job = {.proc = unit_dir,
					     .root = 1000,
					     .ghost_limit = 4096,
					     .descriptors = 4100,
					     .landlock = 6,
					     .memory = memory_left,
					     .unhurried = unhurried,
					     .private_net = private_net,
					     .sockets = sockets,
					     .n_sockets = n};
	struct cr_error err = {0};

	unit_assert_ok(cr_preflight_look(&job, &found, &err), &err);
	ck_assert_uint_le(found.n, CR_PREFLIGHT_MAX);
}

static void look(void)
{
	look_with(nobody, 1, false);
}

/* Exactly one finding of that kind is there, and says detail. */
static const struct cr_finding *expect(enum cr_preflight_kind kind, int pid, int fd, const char *detail)
{
	const struct cr_finding *at = NULL;

	for (uint32_t i = 0; i < found.n; i++) {
		const struct cr_finding *f = &found.findings[i];

		if (f->kind == kind && f->pid == pid && f->fd == fd) {
			ck_assert_msg(!at, "%s twice", cr_preflight_name(kind));
			at = f;
		}
	}
	ck_assert_msg(at != NULL, "no %s of pid %d at %d", cr_preflight_name(kind), pid, fd);
	ck_assert_msg(strstr(at->detail, detail) != NULL, "\"%s\" lacks \"%s\"", at->detail, detail);
	return at;
}

START_TEST(kinds)
{
	for (uint32_t i = 0; i < CR_PREFLIGHT_KINDS; i++) {
		ck_assert_msg(cr_preflight_name(i) && *cr_preflight_name(i), "kind %u has no name", i);
		ck_assert_msg(cr_preflight_remedy(i) && *cr_preflight_remedy(i), "%s: no remedy",
			      cr_preflight_name(i));
		for (uint32_t k = 0; k < i; k++)
			ck_assert_str_ne(cr_preflight_name(i), cr_preflight_name(k));
		ck_assert(cr_preflight_blocks(i) || !cr_preflight_certain(i));
	}
	/* what another version may send */
	ck_assert_str_eq(cr_preflight_name(12345), "unknown");
	ck_assert_str_eq(cr_preflight_remedy(12345), "");
	ck_assert(!cr_preflight_blocks(12345) && !cr_preflight_certain(12345));
}
END_TEST

START_TEST(fine)
{
	process(1, 0, "crinit", "CapPrm:\t0000010000000000\nSeccomp:\t2\n");
	process(7, 1, "criu", "");
	process(1000, 1, "slurm_script", "TracerPid:\t7\n");
	process(1001, 1000, "program", "Threads:\t3\n");
	open_as(1000, 0, "/dev/null");
	open_as(1000, 1, "pipe:[77]");
	open_as(1001, 3, "anon_inode:[eventfd]");
	open_as(1001, 4, "anon_inode:[eventpoll]");
	open_as(1001, 5, "anon_inode:[timerfd]");
	open_as(1001, 6, "anon_inode:[signalfd]");
	open_as(1001, 7, "anon_inode:inotify");
	open_as(1001, 8, "/memfd:some (deleted)");
	open_as(1001, 9, "socket:[555]");
	open_as(1001, 10, "pidfd:[9]");
	open_as(1001, 11, "net:[4026531003]");
	put(1001, "fdinfo/10", "pos:\t0\nPid:\t1000\n");
	put(1001, "maps",
	    "55d0-55d1 r-xp 00000000 fe:00 77 /usr/bin/program\n55d1-55d2 rw-s 00000000 00:01 78 /dev/zero "
	    "(deleted)\n"
	    "55d2-55d3 rw-p 00000000 00:00 0 \n55d3-55d4 rw-p 00000000 00:00 0 [heap]\n"
	    "55d4-55d5 rw-s 00000000 00:1a 9 /dev/shm/sm_segment\n55d5-55d6 rw-s 00000000 00:01 9 /memfd:x "
	    "(deleted)\n"
	    "55d6-55d7 rw-s 00000000 00:11 9 /[aio] (deleted)\n7ffe-7fff r-xp 00000000 00:00 0 [vdso]\n");
	put(1000, "mountinfo", "20 1 0:1 / / rw - overlay overlay rw\n");
	/* shared anonymous memory beyond the ghost limit is memory, not a deleted file */
	dir(1001, "map_files");
	{
		char much[8001] = "";

		memset(much, 'x', sizeof(much) - 1);
		put(1001, "map_files/55d1-55d2", "%s", much);
		put(1001, "map_files/55d5-55d6", "%s", much);
	}
	look();
	ck_assert_msg(found.n == 0 && found.blockers == 0 && found.warnings == 0, "%s",
		      cr_preflight_name(found.findings[0].kind));
}
END_TEST

START_TEST(processes)
{
	process(1000, 1, "slurm_script", "");
	process(1001, 1000, "srun", "");
	process(1002, 1001, "srun", "Seccomp:\t2\n");
	process(1003, 1000, "su", "Uid:\t77777\t0\t0\t0\n");
	process(1004, 1000, "crontab", "Gid:\t5\t6\t6\t6\n");
	process(1005, 1000, "ping", "CapPrm:\t0000000000002000\n");
	process(1006, 1000, "sandbox", "Seccomp:\t2\n");
	process(1007, 1000, "threads", "Threads:\t2\n");
	dir(1007, "task");
	dir(1007, "task/1007");
	dir(1007, "task/1008");
	put(1007, "task/1007/status", "State:\tS (sleeping)\nSeccomp:\t0\n");
	put(1007, "task/1008/status", "State:\tS (sleeping)\nSeccomp:\t1\n");
	process(1009, 1000, "strace", "");
	process(1010, 1009, "traced", "TracerPid:\t1009\n");
	process(1011, 1000, "dead", "State:\tZ (zombie)\n");
	process(1012, 1000, "headless", "State:\tZ (zombie)\nThreads:\t4\n");
	process(1013, 1000, "contained", "CapPrm:\t000001ffffffffff\n");
	ck_assert_int_eq(unlink(unit_path("1013/ns/user")), 0);
	ck_assert_int_eq(symlink("user:[4026532999]", unit_path("1013/ns/user")), 0);
	process(1014, 1000, "timeless", "");
	ck_assert_int_eq(unlink(unit_path("1014/ns/time_for_children")), 0);
	ck_assert_int_eq(symlink("time:[4026532998]", unit_path("1014/ns/time_for_children")), 0);
	{
		char ids[64];
		const unsigned g = getgid() + 1;

		snprintf(ids, sizeof(ids), "Gid:\t%u\t%u\t%u\t%u\n", g, g, g, g);
		process(1015, 1000, "newgrp", ids);
	}
	process(1016, 1000, "sg", "Groups:\t4242 4243 \n");
	process(1017, 1000, "script", "");
	ck_assert_int_eq(symlink("/usr/bin/script", unit_path("1017/exe")), 0);
	process(1018, 1000, "script", ""); /* something of the user's */
	ck_assert_int_eq(symlink("/usr/bin/bash", unit_path("1018/exe")), 0);
	process(1019, 1000, "trapped", "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000010\n");
	process(2000, 1, "another", "Seccomp:\t2\n"); /* not of the tree */
	/* the leader of a session with a terminal, one who is in it, and one in a session without one */
	process(1021, 1000, "bash", "");
	put(1021, "stat", "1021 (a) b) S 1000 1021 1021 34816 1021 0\n");
	process(1022, 1021, "less", "");
	put(1022, "stat", "1022 (less) S 1021 1022 1021 34816 1022 0\n");
	process(1023, 1021, "true", "");
	put(1023, "stat", "1023 (true) S 1021 1023 1021 0 -1 0\n");
	look();
	ck_assert_str_eq(expect(CR_PREFLIGHT_SRUN, 1001, -1, "")->name, "srun");
	expect(CR_PREFLIGHT_SETUID, 1003, -1, "user id 77777, effective 0");
	expect(CR_PREFLIGHT_SETUID, 1004, -1, "group id 5, effective 6");
	expect(CR_PREFLIGHT_SETUID, 1005, -1, "capabilities 2000");
	expect(CR_PREFLIGHT_SECCOMP, 1006, -1, "");
	expect(CR_PREFLIGHT_SECCOMP, 1007, -1, "");
	expect(CR_PREFLIGHT_TRACED, 1010, -1, "by pid 1009 strace");
	expect(CR_PREFLIGHT_THREAD, 1012, -1, "");
	expect(CR_PREFLIGHT_NAMESPACE, 1013, -1, "user");
	expect(CR_PREFLIGHT_NAMESPACE, 1014, -1, "time");
	expect(CR_PREFLIGHT_GROUP, 1015, -1, "the job's is");
	expect(CR_PREFLIGHT_GROUP, 1016, -1, "supplementary");
	expect(CR_PREFLIGHT_SCRIPT, 1017, -1, "");
	expect(CR_PREFLIGHT_SIGTRAP, 1019, -1, "");
	expect(CR_PREFLIGHT_TERMINAL, 1022, -1, "");
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_GROUP));
	ck_assert_uint_eq(found.blockers, 13);
	ck_assert_uint_eq(found.warnings, 2);
	/* the first is what says most */
	ck_assert_uint_eq(found.findings[0].kind, CR_PREFLIGHT_SRUN);
}
END_TEST

/* Whoever has no new rights: xz, and others that began with that; a filter is told as one. */
START_TEST(sandboxes)
{
	process(1000, 1, "bash", "");
	process(1001, 1000, "xz", "NoNewPrivs:\t1\n");
	process(1002, 1000, "viewer", "NoNewPrivs:\t1\n");
	process(1003, 1002, "viewer", "NoNewPrivs:\t1\n");
	process(1004, 1000, "filter", "NoNewPrivs:\t1\nSeccomp:\t2\n");
	process(1005, 1000, "xz", "");
	look();
	expect(CR_PREFLIGHT_LANDLOCK, 1001, -1, "");
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_LANDLOCK));
	expect(CR_PREFLIGHT_CONFINED, 1002, -1, "");
	expect(CR_PREFLIGHT_SECCOMP, 1004, -1, "");
	ck_assert_uint_eq(found.blockers, 2);
	ck_assert_uint_eq(found.warnings, 1);
}
END_TEST

/* By the program, not by what it is called. */
START_TEST(links_to_xz)
{
	process(1000, 1, "bash", "");
	process(1001, 1000, "xzcat", "NoNewPrivs:\t1\n");
	ck_assert_int_eq(symlink("/usr/bin/xz (deleted)", unit_path("1001/exe")), 0);
	process(1002, 1000, "xz", "NoNewPrivs:\t1\n");
	ck_assert_int_eq(symlink("/usr/bin/xzviewer", unit_path("1002/exe")), 0);
	look();
	expect(CR_PREFLIGHT_LANDLOCK, 1001, -1, "");
	expect(CR_PREFLIGHT_CONFINED, 1002, -1, "");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(memfd_program)
{
	process(1000, 1, "3", "");
	ck_assert_int_eq(symlink("/memfd:self (deleted)", unit_path("1000/exe")), 0);
	look();
	expect(CR_PREFLIGHT_MEMFD_PROGRAM, 1000, -1, "");
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_MEMFD_PROGRAM));
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

/* criu wants some above, and below the last multiple of 128 */
START_TEST(high_descriptors)
{
	process(1000, 1, "valgrind", "");
	open_as(1000, 4096 - 64, "pipe:[11]");
	process(1001, 1000, "valgrind", "");
	open_as(1001, 4096 - 63, "pipe:[11]");
	look();
	expect(CR_PREFLIGHT_HIGH, 1001, 4096 - 63, "4100 is the most");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

/* A process with 100 MiB from 10000000 on, shared or not. */
static void process_memory(int pid, int parent, int shared)
{
	process(pid, parent, "python3", "RssAnon:\t  102400 kB\n");
	put(pid, "smaps",
	    "10000000-16400000 rw-p 00000000 00:00 0\nShared_Clean: 0 kB\nShared_Dirty: %d kB\n"
	    "Anonymous:  102400 kB\nVmFlags: rd wr\n"
	    "7f0000000000-7f0000100000 r-xp 00000000 08:01 7 /lib/x\nShared_Clean: 1024 kB\nAnonymous: 0 kB\n",
	    shared ? 102400 : 0);
	put(pid, "smaps_rollup", "10000000-16400000 ---p 00000000 00:00 0 [rollup]\nPss_Anon: %d kB\n",
	    shared ? 34134 : 102400);
}

START_TEST(memory_shared_with_the_parent)
{
	process_memory(1000, 1, true);
	process_memory(1001, 1000, true);
	process_memory(1002, 1000, true);
	look();
	ck_assert_uint_eq(found.blockers, 0);
}
END_TEST

START_TEST(memory_shared_with_siblings)
{
	process(1000, 1, "bash", "RssAnon:\t  0 kB\n");
	process_memory(1001, 1000, true);
	process_memory(1002, 1000, true);
	process_memory(1003, 1000, true);
	look();
	expect(CR_PREFLIGHT_MEMORY, 0, -1, "300 MiB instead of 100, and 150 more are free");
	ck_assert_uint_eq(found.blockers, 1);
	/* there is room for it */
	memory_left = 0;
	look();
	ck_assert_uint_eq(found.blockers + found.warnings, 0);
	unhurried = true;
	look();
	ck_assert_uint_eq(found.blockers, 0);
	expect(CR_PREFLIGHT_GROWTH, 0, -1, "300 MiB instead of 100");
}
END_TEST

START_TEST(memory_of_ones_own)
{
	process_memory(1000, 1, false);
	process_memory(1001, 1000, false);
	process_memory(1002, 1000, false);
	look();
	ck_assert_uint_eq(found.blockers, 0);
	unhurried = true;
	look();
	ck_assert_uint_eq(found.warnings, 0);
}
END_TEST

/* A script that somebody has called srun is none. */
START_TEST(called_srun)
{
	process(1000, 1, "srun", "");
	ck_assert_int_eq(symlink("/usr/bin/bash", unit_path("1000/exe")), 0);
	look();
	ck_assert_uint_eq(found.blockers, 0);
}
END_TEST

START_TEST(closed)
{
	unit_drop_root();
	process(1000, 1, "ssh-agent", "VmSize:\t    6000 kB\n");
	process(1001, 1000, "ending", "State:\tZ (zombie)\n");
	process(1002, 1000, "sleep", ""); /* not a zombie yet, but its memory is gone */
	ck_assert_int_eq(chmod(unit_path("1000/fd"), 0) | chmod(unit_path("1001/fd"), 0) |
				 chmod(unit_path("1002/fd"), 0),
			 0);
	look();
	expect(CR_PREFLIGHT_UNDUMPABLE, 1000, -1, "");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(descriptors)
{
	process(1000, 1, "python3", "");
	open_as(1000, 3, "anon_inode:[io_uring]");
	open_as(1000, 4, "anon_inode:[perf_event]");
	open_as(1000, 5, "anon_inode:[userfaultfd]");
	open_as(1000, 6, "anon_inode:bpf-map");
	open_as(1000, 7, "anon_inode:[landlock-ruleset]");
	open_as(1000, 8, "anon_inode:inotify");
	open_as(1000, 9, "anon_inode:[pidfd]");
	open_as(1000, 10, "net:[4026539999]");
	open_as(1000, 11, "anon_inode:[pidfd]");
	open_as(1000, 14, "anon_inode:[pidfd]");
	put(1000, "fdinfo/14", "pos:\t0\nflags:\t02000202\nPid:\t1000\n");
	put(1000, "fdinfo/8", "pos:\t0\ninotify wd:1 ino:fffffffffff sdev:fff00000 mask:2 ignored_mask:0\n");
	put(1000, "fdinfo/9", "pos:\t0\nPid:\t1\n");
	put(1000, "fdinfo/11", "pos:\t0\nPid:\t-1\n");
	open_as(1000, 12, "anon_inode:[eventfd]");
	open_as(1000, 13, "anon_inode:[eventfd]");
	put(1000, "fdinfo/12", "pos:\t0\neventfd-count:                1\neventfd-id: 4\neventfd-semaphore: 0\n");
	put(1000, "fdinfo/13", "pos:\t0\neventfd-count:                1\neventfd-id: 5\neventfd-semaphore: 1\n");
	look();
	expect(CR_PREFLIGHT_SEMAPHORE, 1000, 13, "");
	ck_assert_uint_eq(found.warnings, 1);
	expect(CR_PREFLIGHT_IO_URING, 1000, 3, "");
	expect(CR_PREFLIGHT_PERF, 1000, 4, "");
	expect(CR_PREFLIGHT_USERFAULTFD, 1000, 5, "");
	expect(CR_PREFLIGHT_BPF, 1000, 6, "bpf-map");
	expect(CR_PREFLIGHT_OBJECT, 1000, 7, "[landlock-ruleset]");
	expect(CR_PREFLIGHT_INOTIFY, 1000, 8, "1 file, inode 17592186044415");
	expect(CR_PREFLIGHT_PIDFD, 1000, 9, "pid 1");
	expect(CR_PREFLIGHT_PIDFD_THREAD, 1000, 14, "");
	expect(CR_PREFLIGHT_NAMESPACE, 1000, 10, "net:[4026539999]");
	ck_assert_uint_eq(found.blockers, 9);
}
END_TEST

START_TEST(files)
{
	process(1000, 1, "cat", "");
	put(1000, "mountinfo", "20 1 0:1 / / rw - overlay overlay rw\nnonsense\n\n");
	open_as(1000, 3, unit_write("there", "x"));
	open_as(1000, 4, unit_write("gone (deleted)", "x")); /* that is its name */
	open_as(1000, 5, unit_path("never was"));	     /* closed while it was looked at */
	open_as(1000, 6, unit_write("elsewhere", "x"));
	put(1000, "fdinfo/3", "pos:\t0\nflags:\t02\nmnt_id:\t20\n");
	put(1000, "fdinfo/6", "pos:\t0\nflags:\t02\nmnt_id:\t99\n");
	look();
	expect(CR_PREFLIGHT_OUTSIDE, 1000, 6, "elsewhere");
	ck_assert_uint_eq(found.blockers, 0);
	ck_assert_uint_eq(found.warnings, 1);
}
END_TEST

/* maps writes a newline as \012; a name may end in " (deleted)", and the file be there. */
START_TEST(odd_names)
{
	process(1000, 1, "python3", "");
	dir(1000, "map_files");
	unit_write("two\nlines (deleted)", "x");
	ck_assert_int_eq(symlink(unit_path("two\nlines (deleted)"), unit_path("1000/map_files/1000-2000")), 0);
	put(1000, "maps", "1000-2000 rw-s 00000000 fe:00 7 %s\n", unit_path("two\\012lines (deleted)"));
	open_as(1000, 3, unit_path("two\nlines (deleted)"));
	look();
	ck_assert_uint_eq(found.blockers, 0);
	ck_assert_uint_eq(found.warnings, 0);
}
END_TEST

/* A shell (1000) starts a supervisor that is a subreaper (1001), whose grandchild made a session and has ended. */
START_TEST(sessions)
{
	process(1000, 1, "bash", "NSsid:\t1000\n");
	process(1001, 1000, "tini", "NSsid:\t1000\n");
	process(1002, 1001, "setsid", "NSsid:\t1002\n");
	process(1003, 1002, "sleep", "NSsid:\t1002\n");
	process(1004, 1001, "lost", "NSsid:\t999\n");
	/* a daemon of the root's, and what it has started; one that has made a session after its child */
	process(1005, 1000, "daemon", "NSsid:\t998\n");
	process(1006, 1005, "child", "NSsid:\t998\n");
	process(1007, 1005, "late", "NSsid:\t1007\n");
	process(1008, 1007, "early", "NSsid:\t998\n");
	process(1009, 1000, "leader", "NSsid:\t1009\n");
	process(1010, 1009, "early", "NSsid:\t1000\n");
	look();
	expect(CR_PREFLIGHT_SESSION, 1004, -1, "session 999");
	ck_assert_uint_eq(found.blockers, 1);
	/* it cannot have been in two */
	process(1011, 1009, "other", "NSsid:\t998\n");
	look();
	expect(CR_PREFLIGHT_SESSION, 1011, -1, "session 998");
	ck_assert_uint_eq(found.blockers, 2);
}
END_TEST

/* /etc is found by criu itself. */
START_TEST(tail_that_watches)
{
	struct stat st;

	ck_assert_int_eq(stat("/etc", &st), 0);
	process(1000, 1, "tail", "");
	process(1001, 1000, "watcher", "");
	for (int pid = 1000; pid < 1002; pid++) {
		open_as(pid, 4, "anon_inode:inotify");
		put(pid, "fdinfo/4", "pos:\t0\ninotify wd:1 ino:%lx sdev:%x mask:%x ignored_mask:0\n",
		    (unsigned long)st.st_ino, major(st.st_dev) << 20 | minor(st.st_dev),
		    pid == 1000 ? 2U : 2U | IN_ONESHOT);
	}
	look();
	expect(CR_PREFLIGHT_INOTIFY, 1000, 4, "tail, which ends");
	expect(CR_PREFLIGHT_WATCH, 1001, 4, "IN_ONESHOT");
	ck_assert_uint_eq(found.blockers, 1);
	ck_assert_uint_eq(found.warnings, 1);
}
END_TEST

START_TEST(login_ids)
{
	process(1000, 1, "bash", "");
	process(1001, 1000, "python3", "");
	process(1002, 1000, "sleep", "");
	ck_assert_int_eq(mkdir(unit_path("self"), 0755), 0);
	unit_write("self/loginuid", "4294967295");
	put(1000, "loginuid", "4294967295");
	put(1001, "loginuid", "1003");
	look();
	expect(CR_PREFLIGHT_LOGINUID, 1001, -1, "1003");
	ck_assert_uint_eq(found.warnings, 1);
	ck_assert_uint_eq(found.blockers, 0);
}
END_TEST

START_TEST(leases)
{
	static const char lease[] = "pos:\t0\nflags:\t02\nlock:\t1: LEASE  ACTIVE    %s 1000 fe:00:7 0 EOF\n";
	char list[512] = "";
	struct cr_preflight_job job = {
		.proc = unit_dir, .root = 1000, .sockets = nobody, .n_sockets = 1, .rollback = list};
	struct cr_error err = {0};

	ck_assert(cr_proc_lease("lock:\t1: LEASE  ACTIVE    WRITE 1000 fe:00:7 0 EOF\n"));
	ck_assert(!cr_proc_lease("lock:\t1: LEASE  ACTIVE    READ 1000 fe:00:7 0 EOF\n"));
	ck_assert(cr_proc_lease("lock:\t1: LEASE  BREAKING  READ 1000 fe:00:7 0 EOF\n"));
	ck_assert(cr_proc_lease("lock:\t1: LEASE  BREAKING  UNLCK 1000 fe:00:7 0 EOF\n"));
	ck_assert(!cr_proc_lease("lock:\t1: LEASE  BREAKER   READ 1000 fe:00:7 0 EOF\n"));
	ck_assert(!cr_proc_lease("lock:\t1: FLOCK  ADVISORY  WRITE 1000 fe:00:7 0 EOF\n"));
	ck_assert(!cr_proc_lease("pos:\t0\n"));
	process(1000, 1, "smbd", "");
	unit_write("f", "x");
	ck_assert_int_eq(mkdir(unit_path("d"), 0700), 0);
	unit_write("d/f", "x");
	open_as(1000, 3, unit_path("d/f"));
	open_as(1000, 4, unit_path("d/f"));
	put(1000, "fdinfo/3", lease, "WRITE");
	put(1000, "fdinfo/4", lease, "READ");
	unit_assert_ok(cr_pathlist_add(list, sizeof(list), unit_path("d"), &err), &err);
	unit_assert_ok(cr_preflight_look(&job, &found, &err), &err);
	expect(CR_PREFLIGHT_LEASE, 1000, 3, "d/f");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(long_paths)
{
	char path[4096 + 1];

	/* 4094 are fine */
	memset(path, '/', sizeof(path));
	path[CR_PREFLIGHT_PATH_MAX] = '\0';
	process(1000, 1, "python3", "");
	ck_assert_int_eq(symlink(path, unit_path("1000/cwd")), 0);
	look();
	ck_assert_uint_eq(found.blockers, 0);
	path[CR_PREFLIGHT_PATH_MAX] = '/';
	path[CR_PREFLIGHT_PATH_MAX + 1] = '\0';
	ck_assert_int_eq(unlink(unit_path("1000/cwd")), 0);
	ck_assert_int_eq(symlink(path, unit_path("1000/cwd")), 0);
	look();
	expect(CR_PREFLIGHT_LONG_PATH, 1000, -1, "...");
	ck_assert_uint_eq(found.blockers, 1);
	/* so does a mapped file */
	ck_assert_int_eq(unlink(unit_path("1000/cwd")), 0);
	put(1000, "maps", "1000-2000 r--p 00000000 fe:00 7 %s\n", path);
	look();
	expect(CR_PREFLIGHT_LONG_PATH, 1000, -1, "...");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

/* criu's code in a process needs one descriptor; those above a limit that was lowered do not count. */
START_TEST(full)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max processes             17                   17                   processes\n"
		"Max open files            3                    4096                 files\n";

	process(1000, 1, "full", "");
	process(1001, 1000, "fine", "");
	put(1000, "limits", "%s", limits);
	put(1001, "limits", "%s", limits);
	for (int fd = 0; fd < 3; fd++) {
		open_as(1000, fd, "pipe:[11]");
		open_as(1001, fd < 2 ? fd : 255, "pipe:[11]");
	}
	look();
	expect(CR_PREFLIGHT_FULL, 1000, -1, "3 of 3");
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_FULL));
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(packets)
{
	process(1000, 1, "packets", "");
	open_as(1000, 3, "pipe:[11]");
	open_as(1000, 4, "pipe:[11]");
	put(1000, "fdinfo/3", "pos:\t0\nflags:\t0%o\n", O_DIRECT | O_CLOEXEC);
	put(1000, "fdinfo/4", "pos:\t0\nflags:\t0%o\n", O_WRONLY);
	look();
	expect(CR_PREFLIGHT_PACKETS, 1000, 3, "");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(makeable)
{
	char path[PATH_MAX];

	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path("open"), 0700) | mkdir(unit_path("closed"), 0500), 0);
	snprintf(path, sizeof(path), "%s", unit_path("open/f (deleted)"));
	ck_assert(preflight_can_make(path));
	snprintf(path, sizeof(path), "%s", unit_path("open/gone/gone/f (deleted)"));
	ck_assert(preflight_can_make(path));
	snprintf(path, sizeof(path), "%s", unit_path("closed/f (deleted)"));
	ck_assert(!preflight_can_make(path));
	snprintf(path, sizeof(path), "%s", unit_path("closed/gone/f (deleted)"));
	ck_assert(!preflight_can_make(path));
}
END_TEST

START_TEST(devices)
{
	static const struct {
		const char *path;
		enum cr_preflight_kind kind;
	} known[] = {
		{"/dev/nvidia0", CR_PREFLIGHT_GPU},	   {"/dev/nvidiactl", CR_PREFLIGHT_GPU},
		{"/dev/nvidia-uvm", CR_PREFLIGHT_GPU},	   {"/dev/kfd", CR_PREFLIGHT_GPU},
		{"/dev/dri/renderD128", CR_PREFLIGHT_GPU}, {"/dev/infiniband/uverbs0", CR_PREFLIGHT_INFINIBAND},
		{"/dev/hfi1_0", CR_PREFLIGHT_INFINIBAND},  {"/dev/cxi0", CR_PREFLIGHT_INFINIBAND},
		{"/dev/fuse", CR_PREFLIGHT_DEVICE},	   {"/dev/kvm", CR_PREFLIGHT_DEVICE},
	};
	char text[4096] = "";

	process(1000, 1, "mpirun", "");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		ck_assert_uint_eq(preflight_device(known[i].path), known[i].kind);
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%zx000-%zx000 rw-s 00000000 00:06 5 %s\n", i + 1, i + 2, known[i].path);
	}
	put(1000, "maps", "%s", text);
	look();
	ck_assert_uint_eq(found.blockers, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < found.n; i++)
		ck_assert_ptr_nonnull(strstr(found.findings[i].detail, "mapped /dev/"));
}
END_TEST

/* The session's terminal by its common name; a program that has the terminal's master itself is fine. */
START_TEST(terminals)
{
	struct stat tty, master;

	if (stat("/dev/tty", &tty) < 0 || tty.st_rdev != makedev(5, 0) || stat("/dev/ptmx", &master) < 0 ||
	    master.st_rdev != makedev(5, 2))
		return;
	process(1000, 1, "screen", "");
	process(1001, 1000, "less", "");
	process(1002, 1000, "less", "");
	open_as(1000, 3, "/dev/tty");
	open_as(1000, 4, "/dev/ptmx");
	open_as(1001, 3, "/dev/tty");
	open_as(1002, 3, "/dev/tty");
	look();
	expect(CR_PREFLIGHT_CTTY, 1001, 3, "/dev/tty");
	expect(CR_PREFLIGHT_CTTY, 1002, 3, "/dev/tty");
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_CTTY));
	ck_assert_uint_eq(found.blockers, 2);
}
END_TEST

START_TEST(mappings)
{
	process(1000, 1, "program", "");
	put(1000, "maps",
	    "1000-2000 rw-s 00000000 00:01 32768 /SYSV00001234 (deleted)\n"
	    "3000-4000 rw-s 00000000 00:0f 12 anon_inode:[io_uring]\n"
	    "5000-6000 rw-s 00000000 00:0f 12 anon_inode:[perf_event]\n"
	    "6000-7000 rw-s 00000000 00:0f 12 anon_inode:i915.gem\n"
	    "7000-8000 rw-s 00000000 00:0f 12 /secretmem (deleted)\n"
	    "8000-9000 --xp 00000000 00:00 0 [uprobes]\n"
	    "9000-a000 rw-s 00000000 00:0f 12 /dmabuf:\n");
	look();
	expect(CR_PREFLIGHT_SYSV_SHM, 1000, -1, "key 00001234 at 1000");
	expect(CR_PREFLIGHT_IO_URING, 1000, -1, "mapped at 3000");
	expect(CR_PREFLIGHT_PERF, 1000, -1, "mapped at 5000");
	expect(CR_PREFLIGHT_OBJECT, 1000, -1, "i915.gem");
	expect(CR_PREFLIGHT_SECRETMEM, 1000, -1, "mapped at 7000");
	expect(CR_PREFLIGHT_UPROBES, 1000, -1, "");
	expect(CR_PREFLIGHT_GPU, 1000, -1, "/dmabuf:");
	ck_assert_uint_eq(found.blockers, 7);
}
END_TEST

#define TCP_HEAD                                                                                                  \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define TCP_TAIL "00:00000000 00000000  1001        0"

static void connections(void)
{
	process(1000, 1, "server", "");
	process(1001, 1000, "client", "");
	dir(1000, "net");
	put(1000, "net/tcp",
	    TCP_HEAD "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 " TCP_TAIL " 100 1 0\n"
		     "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 " TCP_TAIL " 101 1 0\n"
		     "   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 " TCP_TAIL " 102 1 0\n"
		     "   3: 0A00020A:C351 01020304:1A85 08 00000000:00000000 " TCP_TAIL " 103 1 0\n"
		     "   4: 00000000:1F91 00000000:0000 0A 00000000:00000002 " TCP_TAIL " 104 1 0\n"
		     "   5: 0100007F:1F92 00000000:0000 07 00000000:00000000 " TCP_TAIL " 105 1 0\n"
		     "   6: 0100007F:C352 0100007F:1F90 06 00000000:00000000 " TCP_TAIL " 0 1 0\n");
	put(1000, "net/tcp6",
	    TCP_HEAD "   0: 0000000000000000FFFF00000100007F:C360 0000000000000000FFFF00000500000A:0016 01 "
		     "00000000:00000000 " TCP_TAIL " 106 1 0\n"
		     "   1: 00000000000000000000000001000000:C361 B80D0120000000000000000001000000:0016 01 "
		     "00000000:00000000 " TCP_TAIL " 107 1 0\n");
	open_as(1000, 3, "socket:[100]");
	open_as(1000, 4, "socket:[101]");
	open_as(1001, 3, "socket:[102]");
	open_as(1001, 4, "socket:[103]");
	open_as(1000, 5, "socket:[104]");
	open_as(1000, 6, "socket:[105]");
	open_as(1001, 7, "socket:[106]");
	open_as(1001, 8, "socket:[107]");
}

START_TEST(tcp)
{
	connections();
	look();
	if (htonl(1) == 1)
		return; /* the addresses are those of another byte order */
	expect(CR_PREFLIGHT_LISTEN, 1000, 3, "port 8080");
	expect(CR_PREFLIGHT_TCP_SELF, 1000, 4, "to 127.0.0.1:50000, pid 1001 descriptor 3");
	expect(CR_PREFLIGHT_TCP_SELF, 1001, 3, "to 127.0.0.1:8080, pid 1000 descriptor 4");
	expect(CR_PREFLIGHT_TCP, 1001, 4, "to 4.3.2.1:6789, not established or closing");
	expect(CR_PREFLIGHT_ACCEPT, 1000, 5, "2 at port 8081");
	expect(CR_PREFLIGHT_TCP, 1001, 7, "to 10.0.0.5:22");
	expect(CR_PREFLIGHT_TCP, 1001, 8, "to 2001:db8::1:22");
	ck_assert_uint_eq(found.blockers, 6);
	ck_assert_uint_eq(found.warnings, 1);
}
END_TEST

/* Of UDP what waits to be read may be somebody else's; what waits to be sent is on its way. */
START_TEST(udp)
{
	process(1000, 1, "server", "");
	dir(1000, "net");
	put(1000, "net/udp",
	    TCP_HEAD "  10: 0100007F:1F90 00000000:0000 07 00000000:00000300 " TCP_TAIL " 100 2 0 0\n"
		     "  11: 0100007F:1F91 0100007F:1F90 01 00000300:00000000 " TCP_TAIL " 101 2 0 0\n"
		     "  12: 0100007F:1F92 00000000:0000 07 00000000:00000300 " TCP_TAIL " 102 2 0 0\n");
	put(1000, "net/udp6",
	    TCP_HEAD "  10: 00000000000000000000000000000000:1F93 00000000000000000000000000000000:0000 07 "
		     "00000000:00000300 " TCP_TAIL " 103 2 0 0\n");
	open_as(1000, 3, "socket:[100]");
	open_as(1000, 4, "socket:[101]");
	open_as(1000, 5, "socket:[103]");
	look();
	/* its queue did not change meanwhile */
	ck_assert_uint_eq(found.blockers, 1);
	expect(CR_PREFLIGHT_UDP_CORK, 1000, 4, "port 8081");
	ck_assert_uint_eq(found.warnings, 2);
	expect(CR_PREFLIGHT_UDP, 1000, 3, "port 8080");
	expect(CR_PREFLIGHT_UDP, 1000, 5, "port 8083");
	look_with(nobody, 1, true);
	ck_assert_uint_eq(found.warnings, 0);
}
END_TEST

/* All addresses, the loopback's and those of groups are on every node. */
START_TEST(addresses)
{
	if (htonl(1) == 1)
		return;
	process(1000, 1, "server", "");
	dir(1000, "net");
	put(1000, "net/tcp",
	    TCP_HEAD "   0: 0500000A:1F90 00000000:0000 0A 00000000:00000000 " TCP_TAIL " 100 1 0\n"
		     "   1: 0A00007F:1F91 00000000:0000 0A 00000000:00000000 " TCP_TAIL " 101 1 0\n");
	put(1000, "net/udp",
	    TCP_HEAD "  10: 0500000A:1F92 00000000:0000 07 00000000:00000000 " TCP_TAIL " 102 2 0 0\n"
		     "  11: 010000E0:1F93 00000000:0000 07 00000000:00000000 " TCP_TAIL " 103 2 0 0\n"
		     "  12: 00000000:1F94 00000000:0000 07 00000000:00000000 " TCP_TAIL " 104 2 0 0\n");
	put(1000, "net/udp6",
	    TCP_HEAD "  10: 0000000000000000FFFF00000500000A:1F95 00000000000000000000000000000000:0000 07 "
		     "00000000:00000000 " TCP_TAIL " 105 2 0 0\n"
		     "  11: B80D0120000000000000000001000000:1F96 00000000000000000000000000000000:0000 07 "
		     "00000000:00000000 " TCP_TAIL " 106 2 0 0\n"
		     "  12: 00000000000000000000000001000000:1F97 00000000000000000000000000000000:0000 07 "
		     "00000000:00000000 " TCP_TAIL " 107 2 0 0\n"
		     "  13: 000080FE000000000000000001000000:1F98 00000000000000000000000000000000:0000 07 "
		     "00000000:00000000 " TCP_TAIL " 108 2 0 0\n");
	for (int i = 0; i < 9; i++) {
		char link[32];

		snprintf(link, sizeof(link), "socket:[%d]", 100 + i);
		open_as(1000, 3 + i, link);
	}
	look();
	ck_assert_uint_eq(found.blockers, 0);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_LISTEN], 2);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_ADDRESS], 5);
	expect(CR_PREFLIGHT_ADDRESS, 1000, 3, "10.0.0.5, port 8080");
	expect(CR_PREFLIGHT_ADDRESS, 1000, 5, "10.0.0.5, port 8082");
	expect(CR_PREFLIGHT_ADDRESS, 1000, 8, "10.0.0.5, port 8085");
	expect(CR_PREFLIGHT_ADDRESS, 1000, 9, "2001:db8::1, port 8086");
	expect(CR_PREFLIGHT_ADDRESS, 1000, 11, "fe80::1, port 8088");
	look_with(nobody, 1, true);
	ck_assert_uint_eq(found.warnings, 0);
}
END_TEST

/* With a network of its own only what waits to be accepted is in the way. */
START_TEST(private_net)
{
	connections();
	look_with(nobody, 1, true);
	ck_assert_uint_eq(found.blockers, 1);
	ck_assert_uint_eq(found.warnings, 0);
	expect(CR_PREFLIGHT_ACCEPT, 1000, 5, "2 at port 8081");
}
END_TEST

START_TEST(unix_sockets)
{
	static const struct cr_preflight_unix all[] = {
		{.ino = 201, .peer = 202},
		{.ino = 202, .peer = 201},
		{.ino = 203, .peer = 299},
		{.ino = 204, .name = "/run/own", .waiting = 2},
		{.ino = 205, .peer = 298},
		{.ino = 298, .peer = 205},
		{.ino = 299, .peer = 203, .name = "/run/nscd/socket"},
	};

	process(1000, 1, "a", "");
	process(1001, 1000, "b", "");
	open_as(1000, 3, "socket:[201]");
	open_as(1001, 3, "socket:[202]");
	open_as(1001, 4, "socket:[203]");
	open_as(1001, 5, "socket:[204]");
	open_as(1001, 6, "socket:[205]");
	look_with(all, sizeof(all) / sizeof(all[0]), false);
	expect(CR_PREFLIGHT_UNIX, 1001, 4, "to /run/nscd/socket");
	expect(CR_PREFLIGHT_UNIX, 1001, 6, "");
	expect(CR_PREFLIGHT_ACCEPT, 1001, 5, "2 at /run/own");
	ck_assert_uint_eq(found.blockers, 3);
}
END_TEST

/* Of those that nobody has accepted criu takes what has said nothing. */
START_TEST(unix_waiting)
{
	cleanup_free struct cr_preflight_unix *all = NULL;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), clients[3];
	struct cr_error err = {0};
	uint32_t waiting = 99;
	struct stat st;
	size_t n;

	/* a name of the kernel's choice */
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at.sun_family)), 0);
	ck_assert_int_eq(listen(listener, 3), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &(socklen_t){sizeof(at)}), 0);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&at, sizeof(at.sun_family) + 6), 0);
	}
	ck_assert_int_eq(send(clients[1], "x", 1, 0), 1);
	(void)close(clients[2]);
	ck_assert_int_eq(fstat(listener, &st), 0);
	if (preflight_unix(&all, &n, &err) < 0) {
		ck_assert_int_eq(err.errnum, ENOTSUP); /* a kernel without unix_diag */
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].ino == st.st_ino)
			waiting = all[i].waiting;
	ck_assert_uint_eq(waiting, 2);
}
END_TEST

/* The kernel's own answer: one of ours, connected, with its name and its peer. */
START_TEST(unix_asked)
{
	cleanup_free struct cr_preflight_unix *all = NULL;
	struct cr_error err = {0};
	struct stat a, b;
	int fds[2], seen = 0;
	size_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(fstat(fds[0], &a) | fstat(fds[1], &b), 0);
	if (preflight_unix(&all, &n, &err) < 0) {
		ck_assert_int_eq(err.errnum, ENOTSUP); /* a kernel without unix_diag */
		return;
	}
	for (size_t i = 0; i < n; i++) {
		ck_assert(i == 0 || all[i - 1].ino <= all[i].ino);
		seen += all[i].ino == a.st_ino && all[i].peer == b.st_ino;
		seen += all[i].ino == b.st_ino && all[i].peer == a.st_ino;
	}
	ck_assert_int_eq(seen, 2);
}
END_TEST

START_TEST(lost)
{
	process(1000, 1, "a", "");
	ck_assert_int_eq(mkdir(unit_path("sysvipc"), 0755), 0);
	{
		char text[1024];

		snprintf(text, sizeof(text),
			 "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
			 "         0          0   600          1 %5u     0     0     0          0 1764000000\n"
			 "         0          1   600          1 77777     0     0     0          0 1764000000\n",
			 getuid());
		unit_write("sysvipc/sem", text);
		snprintf(text, sizeof(text),
			 "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid\n"
			 "         0          0   600           1          1     5     0 %5u     0     0     0\n"
			 "         0          1   600           1          1     5     0 %5u     0     0     0\n",
			 getuid(), getuid());
		unit_write("sysvipc/msg", text);
		snprintf(text, sizeof(text),
			 "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  "
			 "cgid\n"
			 "         0          0   600                  4096     5     5      0 %5u     0     0    "
			 " 0\n"
			 "         0          1   600                  4096     5     5      2 %5u     0     0    "
			 " 0\n"
			 "         0          2   600                  4096     5     5      0 77777     0     0  "
			 "   0\n",
			 getuid(), getuid());
		unit_write("sysvipc/shm", text);
	}
	look();
	expect(CR_PREFLIGHT_SYSV_SEM, 0, -1, "this user has 1 on this node");
	expect(CR_PREFLIGHT_SYSV_MSG, 0, -1, "this user has 2 on this node");
	expect(CR_PREFLIGHT_SYSV_IDLE, 0, -1, "this user has 1 on this node");
	ck_assert_uint_eq(found.blockers, 0);
}
END_TEST

START_TEST(nonsense)
{
	char text[8000];

	process(1000, 1, "a\\n\x1b[31m\"b", "");
	/* no status, an empty one, one without a state, one of noise */
	dir(1001, "");
	dir(1002, "");
	put(1002, "status", "%s", "");
	dir(1003, "");
	put(1003, "status", "Name:\tx\nPPid:\t1000\n");
	dir(1004, "");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put(1004, "status", "%s", text);
	/* vanished after its status */
	process(1005, 1000, "gone", "");
	ck_assert_int_eq(rmdir(unit_path("1005/fd")), 0);
	/* numbers that are none, or out of range */
	process(1006, 1000, "odd",
		"Seccomp:\t\nUid:\tx\nTracerPid:\t999999999999999999999\nThreads:\t-1\nCapPrm:\tzz\n");
	dir(99999, "");
	ck_assert_int_eq(mkdir(unit_path("1x"), 0755), 0);
	put(1000, "maps", "%s",
	    "garbage\n\n-\n1000\n1000-\nzz-yy rw-s\n1000-2000 rw-s 0 0 0 /SYSVshort\n"
	    "1000-2000 rw-s 00000000 00:01 5 \n1000-2000 rw-s 00000000 00:01 5\n");
	put(1000, "mountinfo", "%s", "x\n-1\n\n99999999999999999999\n");
	dir(1000, "net");
	put(1000, "net/tcp", "%s",
	    "head\n 0: 0100007F:1F90 01:C350 01 0:0 00:0 0 0 0 300\n 1: zz\n\n 2: 0100007F:1F90 0100007F:C350 "
	    "01\n");
	put(1000, "net/tcp6", "%s", "  0: 0100007F:1F90 0100007F:C350 01 0:0 00:0 0 0 0 300 1\n");
	open_as(1000, 3, "socket:[300]");
	open_as(1000, 4, "socket:[");
	open_as(1000, 5, "socket:[18446744073709551616]");
	open_as(1000, 6, "anon_inode:");
	open_as(1000, 7, "anon_inode:inotify");
	open_as(1000, 8, "anon_inode:[pidfd]");
	open_as(1000, 9, "what is this");
	put(1000, "fdinfo/7", "%s", "inotify\ninotify wd:x ino:zz sdev:1\ninotify ino\nino:1 sdev:1\n");
	put(1000, "fdinfo/8", "%s", "Pid:\tnone\n");
	look();
	ck_assert_uint_eq(found.blockers, 1);
	/* what others have named does not reach a terminal as it is */
	ck_assert_str_eq(expect(CR_PREFLIGHT_OBJECT, 1000, 6, "")->name, "a?n?[31m?b");
}
END_TEST

START_TEST(nothing)
{
	const struct cr_preflight_job job = {.proc = "/nonexistent", .root = 1000};
	struct cr_error err = {0};

	process(1, 0, "crinit", "");
	look();
	ck_assert_uint_eq(found.n, 0);
	ck_assert_int_eq(cr_preflight_look(&job, &found, &err), -1);
	unit_assert_error(&err, ENOENT, "/nonexistent");
}
END_TEST

/* Children have what their parent has open: it is told once, and what is fine is fine. */
START_TEST(inherited)
{
	process(1000, 1, "parent", "");
	process(1001, 1000, "child", "");
	dir(1000, "net");
	put(1000, "net/tcp", "%s",
	    "head\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 100 "
	    "1 0\n");
	for (int pid = 1000; pid <= 1001; pid++) {
		open_as(pid, 3, "socket:[100]");
		open_as(pid, 4, unit_path("there"));
		open_as(pid, 5, unit_path("elsewhere"));
		put(pid, "fdinfo/5", "pos:\t0\nflags:\t02\nmnt_id:\t99\n");
	}
	put(1000, "mountinfo", "20 1 0:1 / / rw - overlay overlay rw\n");
	unit_write("there", "x");
	unit_write("elsewhere", "x");
	look();
	expect(CR_PREFLIGHT_LISTEN, 1000, 3, "port 8080");
	expect(CR_PREFLIGHT_OUTSIDE, 1000, 5, "");
	expect(CR_PREFLIGHT_OUTSIDE, 1001, 5, "");
	ck_assert_uint_eq(found.warnings, 3);
	ck_assert_uint_eq(found.blockers, 0);
}
END_TEST

static void pipes_open(int from, int to)
{
	for (int i = from; i < to; i++) {
		char link[32];

		snprintf(link, sizeof(link), "pipe:[%d]", i + 5000);
		open_as(1000 + i % 2, i + 3, link);
	}
	/* those are the same ones once more */
	open_as(1000, 3001 + from, "pipe:[5000]");
	open_as(1001, 3001 + from, "pipe:[5000]");
}

START_TEST(pipes)
{
	process(1000, 1, "parent", "");
	process(1001, 1000, "child", "");
	pipes_open(0, CR_PREFLIGHT_PIPES_MAX);
	look();
	ck_assert_uint_eq(found.n, 0);
	pipes_open(CR_PREFLIGHT_PIPES_MAX, CR_PREFLIGHT_PIPES_MAX + 1);
	look();
	expect(CR_PREFLIGHT_PIPES, 0, -1, "1025, and 1024 are allowed");
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

/* With no time left nothing is said of what was not looked at. */
START_TEST(late)
{
	struct cr_preflight_job job = {
		.proc = unit_dir, .root = 1000, .deadline_ns = 1, .sockets = nobody, .n_sockets = 1};
	struct cr_error err = {0};

	process(1000, 1, "a", "Seccomp:\t2\n");
	unit_assert_ok(cr_preflight_look(&job, &found, &err), &err);
	ck_assert(found.partial);
	ck_assert_uint_eq(found.blockers, 0);
	job.deadline_ns = INT64_MAX;
	unit_assert_ok(cr_preflight_look(&job, &found, &err), &err);
	ck_assert(!found.partial);
	ck_assert_uint_eq(found.blockers, 1);
}
END_TEST

START_TEST(sets)
{
	struct preflight_set set = {0};
	struct cr_error err = {0};

	ck_assert(!preflight_set_has(&set, 5));
	for (uint64_t key = 1; key <= 5000; key++) {
		ck_assert_int_eq(preflight_set_add(&set, key * 4096, &err), 1);
		ck_assert_int_eq(preflight_set_add(&set, key * 4096, &err), 0);
	}
	ck_assert_uint_eq(set.n, 5000);
	for (uint64_t key = 1; key <= 5000; key++)
		ck_assert(preflight_set_has(&set, key * 4096) && !preflight_set_has(&set, key * 4096 + 1));
	ck_assert(!preflight_set_has(&set, 0));
	free(set.slots);
}
END_TEST

/* No kind hides another, not even when there is no room left. */
START_TEST(hidden)
{
	static const char *const links[] = {
		"anon_inode:[io_uring]", "anon_inode:[perf_event]",    "anon_inode:[userfaultfd]",
		"anon_inode:bpf-map",	 "anon_inode:[landlock-rule]", "pidfd:[9]",
		"net:[4026539999]"};
	unsigned n = 0;

	for (int i = 0; i < 10; i++) {
		process(1000 + i, i ? 1000 : 1, "p", "");
		for (size_t k = 0; k < sizeof(links) / sizeof(links[0]); k++)
			open_as(1000 + i, (int)k + 3, links[k]);
		put(1000 + i, "fdinfo/8", "Pid:\t1\n");
	}
	process(1020, 1000, "last", "Seccomp:\t2\n");
	look();
	ck_assert_uint_eq(found.n, CR_PREFLIGHT_MAX);
	expect(CR_PREFLIGHT_SECCOMP, 1020, -1, "");
	for (uint32_t i = 0; i < found.n; i++)
		n += 1 + cr_preflight_more(&found, i);
	ck_assert_uint_eq(n, found.blockers);
}
END_TEST

/* Much more than can be told: all is counted, no kind takes all the room, blockers come first. */
START_TEST(many)
{
	unsigned listens = 0;

	process(1000, 1, "root", "");
	dir(1000, "net");
	{
		char text[16000] = "head\n";

		for (int i = 0; i < 100; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 "%d: 0100007F:%04X 00000000:0000 0A 00000000:00000000 " TCP_TAIL " %d 1 0\n", i,
				 i + 1, i + 1000);
		put(1000, "net/tcp", "%s", text);
	}
	for (int i = 0; i < 20; i++) {
		process(1001 + i, 1000, "p", "");
		for (int k = 0; k < 10; k++)
			open_as(1001 + i, k + 3, "anon_inode:[io_uring]");
		for (int k = 0; k < 5; k++) {
			char link[32];

			snprintf(link, sizeof(link), "socket:[%d]", 1000 + i * 5 + k);
			open_as(1001 + i, k + 20, link);
		}
	}
	look();
	ck_assert_uint_eq(found.blockers, 200);
	ck_assert_uint_eq(found.warnings, 100);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_IO_URING], 200);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_LISTEN], 100);
	ck_assert_uint_eq(found.n, 2 * CR_PREFLIGHT_EACH);
	for (uint32_t i = 0; i < found.n; i++)
		listens += found.findings[i].kind == CR_PREFLIGHT_LISTEN;
	ck_assert_uint_eq(listens, CR_PREFLIGHT_EACH);
	ck_assert_uint_eq(found.findings[0].kind, CR_PREFLIGHT_IO_URING);
	ck_assert_int_eq(found.findings[0].pid, 1001);
	ck_assert_uint_eq(cr_preflight_more(&found, 0), 0);
	ck_assert_uint_eq(cr_preflight_more(&found, CR_PREFLIGHT_EACH - 1), 200 - CR_PREFLIGHT_EACH);
	ck_assert_uint_eq(cr_preflight_more(&found, found.n - 1), 100 - CR_PREFLIGHT_EACH);
}
END_TEST

START_TEST(texts)
{
	struct cr_finding f = {
		.pid = 1004, .fd = 5, .kind = CR_PREFLIGHT_OBJECT, .name = "python3", .detail = "[x]"};
	char text[512];

	cr_preflight_text(&f, false, text, sizeof(text));
	ck_assert_str_eq(text, "pid 1004 python3, descriptor 5: a kernel object that criu does not know: [x]");
	cr_preflight_text(&f, true, text, sizeof(text));
	ck_assert_str_eq(text,
			 "pid 1004 python3, descriptor 5: a kernel object that criu does not know: [x]; close it");
	f = (struct cr_finding){.fd = -1, .kind = CR_PREFLIGHT_SYSV_SEM};
	cr_preflight_text(&f, false, text, sizeof(text));
	ck_assert_str_eq(text, "System V semaphores are not part of a checkpoint");
	cr_preflight_text(&f, true, text, 10);
	ck_assert_str_eq(text, "System V ");
}
END_TEST

UNIT_MAIN("preflight", {kinds, false}, {fine, true}, {processes, true}, {called_srun, true}, {closed, true},
	  {descriptors, true}, {memfd_program, true}, {sandboxes, true}, {high_descriptors, true},
	  {memory_shared_with_the_parent, true}, {memory_shared_with_siblings, true}, {memory_of_ones_own, true},
	  {files, true}, {odd_names, true}, {leases, true}, {login_ids, true}, {sessions, true},
	  {tail_that_watches, true}, {long_paths, true}, {full, true}, {packets, true}, {makeable, true},
	  {devices, true}, {terminals, true}, {mappings, true}, {tcp, true}, {udp, true}, {addresses, true},
	  {private_net, true}, {unix_sockets, true}, {unix_asked, false}, {unix_waiting, false}, {lost, true},
	  {nonsense, true}, {nothing, true}, {many, true}, {inherited, true}, {pipes, true}, {late, true},
	  {sets, false}, {hidden, true}, {links_to_xz, true}, {texts, false})
