/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/securebits.h>

#include "../../libcrcore/caps.h"
#include "../../libcrcore/cleanup.h"

#define CR                                                                                                        \
	40 /* CAP_CHECKPOINT_RESTORE, which libcap of Debian 12's first headers may                               \
	      lack */
#define BIT(cap)   (UINT64_C(1) << (cap))
#define FULL(last) (BIT((last) + 1) - 1)

/* ---- the budget ---- */

static struct cr_budget budget_of(uint64_t bounding, int last_cap, int ptrace_scope)
{
	struct cr_budget budget;
	struct cr_error err = {0};

	unit_assert_ok(cr_budget_compute(&budget, bounding, last_cap, ptrace_scope, false, &err), &err);
	return budget;
}

START_TEST(budget_full_bounding)
{
	struct cr_budget budget = budget_of(FULL(40), 40, 0);
	char text[512];

	ck_assert_uint_eq(budget.caps, BIT(CR));
	ck_assert_int_eq(budget.n, 1);
	ck_assert_int_eq(budget.why[0].cap, CR);
	ck_assert_str_eq(cr_budget_describe(&budget, text, sizeof(text)),
			 "CAP_CHECKPOINT_RESTORE (always: pids, map_files and exe links)");
	/* a kernel to come: more capabilities, all of them there */
	ck_assert_uint_eq(budget_of(FULL(45), 45, 0).caps, BIT(CR));
	ck_assert_uint_eq(budget_of(UINT64_MAX, 63, 0).caps, BIT(CR));
}
END_TEST

START_TEST(budget_partial_bounding)
{
	/* CAP_SYS_RESOURCE withheld, as container runtimes do; CAP_CHOWN; the newest
	 * one */
	static const int missing[] = {CAP_SYS_RESOURCE, CAP_CHOWN, 41};
	char text[512];

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		struct cr_budget budget = budget_of(FULL(41) & ~BIT(missing[i]), 41, 0);

		ck_assert_uint_eq(budget.caps, BIT(CR) | BIT(CAP_SETPCAP));
		ck_assert_int_eq(budget.n, 2);
		ck_assert_ptr_nonnull(strstr(cr_budget_describe(&budget, text, sizeof(text)), ", CAP_SETPCAP ("));
	}
	/* bits beyond the kernel's last one are no capabilities */
	ck_assert_uint_eq(budget_of(UINT64_MAX, 40, 0).caps, BIT(CR));
}
END_TEST

START_TEST(budget_yama)
{
	struct cr_budget budget = budget_of(FULL(40), 40, 1), none;
	struct cr_error err = {0};
	char text[512];

	ck_assert_uint_eq(budget.caps, BIT(CR) | BIT(CAP_SYS_PTRACE));
	ck_assert_ptr_nonnull(strstr(cr_budget_describe(&budget, text, sizeof(text)), "CAP_SYS_PTRACE ("));
	/* above 1 a restore would need it too, with the user's paths in reach */
	for (int scope = 2; scope <= 3; scope++) {
		ck_assert_int_eq(cr_budget_compute(&none, FULL(40), 40, scope, false, &err), -1);
		unit_assert_error(&err, EPERM, "ptrace_scope");
		ck_assert_uint_eq(none.caps, 0);
	}
	ck_assert_uint_eq(budget_of(FULL(40) & ~BIT(CAP_SYS_RESOURCE), 40, 1).caps,
			  BIT(CR) | BIT(CAP_SETPCAP) | BIT(CAP_SYS_PTRACE));
}
END_TEST

START_TEST(budget_private_net)
{
	struct cr_budget budget;
	struct cr_error err = {0};
	char text[512];

	unit_assert_ok(cr_budget_compute(&budget, FULL(40), 40, 0, true, &err), &err);
	ck_assert_uint_eq(budget.caps, BIT(CR) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW));
	cr_budget_describe(&budget, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "CAP_NET_ADMIN (private network"));
	ck_assert_ptr_nonnull(strstr(text, "CAP_NET_RAW (private network"));
	/* all reasons at once have room */
	unit_assert_ok(cr_budget_compute(&budget, FULL(40) & ~BIT(CAP_CHOWN), 40, 1, true, &err), &err);
	ck_assert_int_eq(budget.n, CR_CAPS_REASONS);
	/* without either of them there is no checkpoint, and the node's network does not need them */
	for (int cap = CAP_NET_ADMIN; cap <= CAP_NET_RAW; cap++) {
		ck_assert_int_eq(cr_budget_compute(&budget, FULL(40) & ~BIT(cap), 40, 0, true, &err), -1);
		unit_assert_error(&err, EPERM,
				  cap == CAP_NET_ADMIN ? "CAP_NET_ADMIN is not in slurmd's"
						       : "CAP_NET_RAW is not in slurmd's");
		ck_assert_uint_eq(budget.caps, 0);
		ck_assert_uint_eq(budget_of(FULL(40) & ~BIT(cap), 40, 0).caps, BIT(CR) | BIT(CAP_SETPCAP));
	}
}
END_TEST

START_TEST(budget_refused)
{
	struct cr_budget budget;
	struct cr_error err = {0};

	ck_assert_int_eq(cr_budget_compute(&budget, FULL(40) & ~BIT(CR), 40, 0, false, &err), -1);
	unit_assert_error(&err, EPERM, "CAP_CHECKPOINT_RESTORE is not in slurmd's bounding set");
	unit_assert_error(&err, EPERM, "CapabilityBoundingSet=");
	ck_assert_uint_eq(budget.caps, 0);
	/* Linux 5.8 ends with CAP_BPF; a kernel that tells nothing */
	for (int last = -1; last < CR; last++) {
		ck_assert_int_eq(cr_budget_compute(&budget, UINT64_MAX, last, 0, false, &err), -1);
		unit_assert_error(&err, ENOTSUP, "Linux 5.9");
		ck_assert_uint_eq(budget.caps, 0);
		ck_assert_int_eq(budget.n, 0);
	}
}
END_TEST

START_TEST(describe_is_bounded)
{
	struct cr_budget budget = budget_of(FULL(40) & ~BIT(CAP_CHOWN), 40, 1);
	char text[64];

	for (size_t size = 1; size <= sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		ck_assert_uint_lt(strlen(cr_budget_describe(&budget, text, size)), size);
		for (size_t i = size; i < sizeof(text); i++)
			ck_assert_int_eq(text[i], 'x');
	}
	budget.n = 0;
	ck_assert_str_eq(cr_budget_describe(&budget, text, sizeof(text)), "");
}
END_TEST

/* ---- what a process has, as the kernel tells it ---- */

struct status {
	uint64_t inh, prm, eff, bnd, amb;
	unsigned uid[4], no_new_privs;
	int groups;
};

static void status_parse(FILE *in, struct status *s)
{
	char line[4096];
	int seen = 0;

	memset(s, 0, sizeof(*s));
	while (fgets(line, sizeof(line), in)) {
		seen += sscanf(line, "CapInh: %" SCNx64, &s->inh) == 1;
		seen += sscanf(line, "CapPrm: %" SCNx64, &s->prm) == 1;
		seen += sscanf(line, "CapEff: %" SCNx64, &s->eff) == 1;
		seen += sscanf(line, "CapBnd: %" SCNx64, &s->bnd) == 1;
		seen += sscanf(line, "CapAmb: %" SCNx64, &s->amb) == 1;
		seen += sscanf(line, "NoNewPrivs: %u", &s->no_new_privs) == 1;
		seen += sscanf(line, "Uid: %u %u %u %u", &s->uid[0], &s->uid[1], &s->uid[2], &s->uid[3]) == 4;
		if (strncmp(line, "Groups:", 7) == 0)
			for (char *save = NULL, *word = strtok_r(line + 7, " \t\n", &save); word;
			     word = strtok_r(NULL, " \t\n", &save))
				s->groups++;
	}
	ck_assert_int_eq(seen, 7);
}

static struct status status_self(void)
{
	cleanup_fclose FILE *f = fopen("/proc/self/status", "re");
	struct status s;

	ck_assert_ptr_nonnull(f);
	status_parse(f, &s);
	return s;
}

/* What a program has that a child of ours becomes. */
static struct status status_of_exec(void)
{
	int fds[2], status = -1;
	struct status s;
	FILE *in;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (dup2(fds[1], 1) == 1) {
			close(fds[0]);
			close(fds[1]);
			execl("/bin/cat", "cat", "/proc/self/status", (char *)NULL);
		}
		_exit(127);
	}
	close(fds[1]);
	in = fdopen(fds[0], "r");
	ck_assert_ptr_nonnull(in);
	status_parse(in, &s);
	(void)fclose(in);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	return s;
}

static void assert_caps(const struct status *s, uint64_t caps)
{
	ck_assert_uint_eq(s->inh, caps);
	ck_assert_uint_eq(s->prm, caps);
	ck_assert_uint_eq(s->eff, caps);
	ck_assert_uint_eq(s->amb, caps);
}

static bool root_or_skip(const char *test)
{
	uint64_t need = BIT(CR) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SYS_PTRACE);

	if (geteuid() == 0 && (status_self().eff & need) == need)
		return true;
	(void)fprintf(stderr,
		      "SKIP %s: needs root with CAP_CHECKPOINT_RESTORE, SETPCAP, "
		      "SETUID, SETGID\n",
		      test);
	return false;
}

/* As Slurm and the plugin do: root, then the user with root's capabilities
 * kept. */
static void become_user_keeping(void)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_caps_keep(&err), &err);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY), 0);
	ck_assert_int_eq(setresuid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY), 0);
	ck_assert_uint_eq(status_self().eff, 0);
	unit_assert_ok(cr_caps_raise(&err), &err);
	ck_assert_uint_ne(status_self().eff, 0);
	ck_assert_uint_eq(status_self().eff, status_self().prm);
}

/* No way back: not by asking for capabilities, not by changing ids, not by an
 * exec. */
static void assert_no_way_back(void)
{
	struct cr_error err = {0};
	cap_t full = cap_from_text("all=eip");
	cap_value_t setuid_cap = CAP_SETUID;
	cap_t one = cap_init();

	ck_assert_ptr_nonnull(full);
	ck_assert_ptr_nonnull(one);
	ck_assert_int_eq(cap_set_proc(full), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(cap_set_flag(one, CAP_PERMITTED, 1, &setuid_cap, CAP_SET), 0);
	ck_assert_int_eq(cap_set_proc(one), -1);
	ck_assert_int_eq(errno, EPERM);
	cap_free(full);
	cap_free(one);
	ck_assert_int_eq(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0), -1);
	ck_assert_int_eq(setgroups(0, NULL), -1);
	ck_assert_int_eq(setresuid(1234, 1234, 1234), -1);
	ck_assert_int_eq(setresgid(1234, 1234, 1234), -1);
	ck_assert_int_eq(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), -1);
	/* there is nothing to raise */
	unit_assert_ok(cr_caps_raise(&err), &err);
	ck_assert_uint_eq(status_self().prm, 0);
	ck_assert_uint_eq(status_self().eff, 0);
}

START_TEST(bounding_is_the_kernels)
{
	cleanup_fclose FILE *f = fopen("/proc/sys/kernel/cap_last_cap", "re");
	struct cr_error err = {0};
	int last_cap = 0, told = 0;
	uint64_t bounding = 0;

	unit_assert_ok(cr_caps_bounding(&bounding, &last_cap, &err), &err);
	ck_assert_uint_eq(bounding, status_self().bnd);
	if (f) {
		ck_assert_int_eq(fscanf(f, "%d", &told), 1);
		ck_assert_int_eq(last_cap, told);
	}
	if (!root_or_skip("a bounding set that shrinks"))
		return;
	ck_assert_int_eq(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0), 0);
	unit_assert_ok(cr_caps_bounding(&bounding, &last_cap, &err), &err);
	ck_assert_uint_eq(bounding & BIT(CAP_SYS_TIME), 0);
	ck_assert_uint_eq(budget_of(bounding, last_cap, 0).caps, BIT(CR) | BIT(CAP_SETPCAP));
}
END_TEST

START_TEST(ptrace_scope_is_the_kernels)
{
	cleanup_fclose FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f)
		ck_assert_int_eq(fscanf(f, "%d", &scope), 1);
	ck_assert_int_eq(cr_caps_ptrace_scope(), scope);
}
END_TEST

START_TEST(keep_survives_setuid)
{
	uint64_t before;

	if (!root_or_skip("keep_survives_setuid"))
		return;
	before = status_self().prm;
	become_user_keeping();
	ck_assert_uint_eq(status_self().prm, before);
	/* raised, and yet nothing for an exec: that takes set_ambient */
	ck_assert_uint_eq(status_of_exec().prm, 0);
}
END_TEST

/* With and without more than the one capability. */
static void set_ambient_gives(uint64_t bounding, int ptrace_scope)
{
	struct cr_budget budget = budget_of(bounding, 40, ptrace_scope);
	struct cr_error err = {0};
	struct status s;

	become_user_keeping();
	unit_assert_ok(cr_caps_set_ambient(&budget, &err), &err);
	s = status_self();
	assert_caps(&s, budget.caps);
	s = status_of_exec();
	assert_caps(&s, budget.caps);
	ck_assert_uint_eq(s.uid[0], UNIT_NOBODY);
	ck_assert_uint_eq(s.uid[2], UNIT_NOBODY);
	/* what is not in the budget is gone for good */
	ck_assert_int_eq(setresuid(0, 0, 0), -1);
	unit_assert_ok(cr_caps_drop(&err), &err);
	s = status_self();
	assert_caps(&s, 0);
	assert_no_way_back();
}

/* As T does it, whose id is the user's. */
START_TEST(mkdir_as_root)
{
	struct cr_error err = {0};
	struct status before, after;
	struct stat st;

	if (!root_or_skip("mkdir_as_root"))
		return;
	become_user_keeping();
	unit_assert_ok(cr_caps_raise(&err), &err);
	before = status_self();
	umask(077);
	for (int i = 0; i < 2; i++)
		unit_assert_ok(cr_caps_mkdir(unit_path("roots"), 0755, &err), &err);
	ck_assert_int_eq(lstat(unit_path("roots"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_uint_eq(st.st_gid, 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(cr_caps_mkdir(unit_path("none/below"), 0755, &err), -1);
	unit_assert_error(&err, ENOENT, "none/below");
	/* and all is as it was */
	after = status_self();
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_uint_eq(umask(022), 077);
	ck_assert_int_eq(mkdir(unit_path("users"), 0755), 0);
	ck_assert_int_eq(lstat(unit_path("users"), &st), 0);
	ck_assert_uint_eq(st.st_uid, UNIT_NOBODY);
}
END_TEST

START_TEST(set_ambient_smallest)
{
	if (root_or_skip("set_ambient_smallest"))
		set_ambient_gives(FULL(40), 0);
}
END_TEST

START_TEST(set_ambient_largest)
{
	if (root_or_skip("set_ambient_largest"))
		set_ambient_gives(FULL(40) & ~BIT(CAP_CHOWN), 1);
}
END_TEST

START_TEST(drop_ptrace)
{
	struct cr_budget budget = budget_of(FULL(40), 40, 1);
	struct cr_error err = {0};
	struct status s;

	if (!root_or_skip("drop_ptrace"))
		return;
	become_user_keeping();
	unit_assert_ok(cr_caps_set_ambient(&budget, &err), &err);
	unit_assert_ok(cr_caps_drop_ptrace(&err), &err);
	s = status_of_exec();
	assert_caps(&s, BIT(CR));
	/* without it there is nothing to do, and no way back */
	unit_assert_ok(cr_caps_drop_ptrace(&err), &err);
	ck_assert_int_eq(cr_caps_set_ambient(&budget, &err), -1);
}
END_TEST

START_TEST(set_ambient_without_rights)
{
	struct cr_budget budget = budget_of(FULL(40), 40, 0);
	struct cr_error err = {0};
	struct status s;

	unit_drop_root();
	ck_assert_int_eq(cr_caps_set_ambient(&budget, &err), -1);
	unit_assert_error(&err, EPERM, "setting capabilities");
	s = status_of_exec();
	assert_caps(&s, 0);
}
END_TEST

START_TEST(drop_is_for_good)
{
	struct cr_error err = {0};
	struct status s;

	if (!root_or_skip("drop_is_for_good"))
		return;
	become_user_keeping();
	unit_assert_ok(cr_caps_drop(&err), &err);
	s = status_self();
	assert_caps(&s, 0);
	ck_assert_int_eq(setresuid(0, 0, 0), -1);
	ck_assert_int_eq(setuid(0), -1);
	ck_assert_int_eq(setgid(0), -1);
	assert_no_way_back();
	s = status_of_exec();
	assert_caps(&s, 0);
	ck_assert_uint_eq(s.uid[1], UNIT_NOBODY);
	/* nothing to drop is fine */
	unit_assert_ok(cr_caps_drop(&err), &err);
}
END_TEST

START_TEST(drop_as_root)
{
	struct cr_error err = {0};
	struct status s;

	if (!root_or_skip("drop_as_root"))
		return;
	unit_assert_ok(cr_caps_drop(&err), &err);
	s = status_self();
	assert_caps(&s, 0);
	assert_no_way_back();
}
END_TEST

START_TEST(bare_root)
{
	int needed = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
		     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	struct cr_error err = {0};
	struct status s;

	if (!root_or_skip("bare_root"))
		return;
	become_user_keeping();
	unit_assert_ok(cr_caps_bare_root(&err), &err);
	s = status_self();
	assert_caps(&s, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(s.uid[i], 0);
	assert_no_way_back();
	ck_assert_int_eq(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & needed, needed);
	/* root's exec gives nothing back */
	s = status_of_exec();
	assert_caps(&s, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(s.uid[i], 0);
	ck_assert_uint_eq(s.no_new_privs, 1);
	ck_assert_int_eq(s.groups, 0);
}
END_TEST

START_TEST(bare_root_without_rights)
{
	struct cr_error err = {0};

	unit_drop_root();
	ck_assert_int_eq(cr_caps_bare_root(&err), -1);
	unit_assert_error(&err, EPERM, "locking securebits");
	ck_assert_uint_ne(geteuid(), 0);
}
END_TEST

/* ---- the shield ---- */

/* Fork a process that shields itself, says so and waits; it holds the write end
 * of *until. */
static pid_t shielded_start(int *until)
{
	struct cr_error err = {0};
	char byte = 0;
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fds[0]);
		if (cr_caps_shield(&err) < 0 || write(fds[1], "s", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	*until = fds[0];
	return pid;
}

START_TEST(shield_from_same_uid)
{
	char path[64];
	int until, fd;
	pid_t pid;

	unit_drop_root();
	pid = shielded_start(&until);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(fd, -1);
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(until);
}
END_TEST

START_TEST(shield_dies_with_parent)
{
	int relay[2], until, status;
	pid_t parent;
	char byte;

	ck_assert_int_eq(pipe(relay), 0);
	parent = fork();
	ck_assert_int_ge(parent, 0);
	if (parent == 0) {
		(void)shielded_start(&until); /* it holds relay too */
		_exit(0);
	}
	close(relay[1]);
	ck_assert_int_eq(waitpid(parent, &status, 0), parent);
	ck_assert_int_eq(status, 0);
	/* ends when the last holder is dead; otherwise this test times out */
	ck_assert_int_eq(read(relay[0], &byte, 1), 0);
}
END_TEST

/* ---- looking at a restored task ---- */

/* process 77 with two threads, the second one of which has no capability */
static void fake_status(const char *text)
{
	if (!unit_exists("77")) {
		ck_assert_int_eq(mkdir(unit_path("77"), 0700), 0);
		ck_assert_int_eq(mkdir(unit_path("77/task"), 0700), 0);
		ck_assert_int_eq(mkdir(unit_path("77/task/77"), 0700), 0);
		ck_assert_int_eq(mkdir(unit_path("77/task/78"), 0700), 0);
	}
	unit_write("77/task/77/status", text);
	unit_write("77/task/78/status", "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapAmb:\t0\n");
}

START_TEST(task_has_none)
{
	struct cr_error err = {0};

	fake_status("Name:\tlmp\nUid:\t1001\t1001\t1001\t1001\nCapInh:\t0000000000000000\n"
		    "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:"
		    "\t000001ffffffffff\n"
		    "CapAmb:\t0000000000000000\nNoNewPrivs:\t0\n");
	ck_assert_msg(cr_caps_task_has(unit_dir, 77, &err) == 0, "%s", err.text);
	/* a real process: whatever it has, it is told right */
	ck_assert_int_eq(cr_caps_task_has("/proc", getpid(), &err), status_self().prm || status_self().inh);
}
END_TEST

START_TEST(task_has_any)
{
	static const char *const keys[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	static const char *const values[] = {"0000010000000000", "0000000000000001", "8000000000000000"};
	struct cr_error err = {0};

	for (size_t k = 0; k < 4; k++) {
		for (size_t v = 0; v < 3; v++) {
			char text[1024] = "Name:\tx\n";

			for (size_t i = 0; i < 4; i++)
				(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s:\t%s\n",
					       keys[i], i == k ? values[v] : "0000000000000000");
			fake_status(text);
			ck_assert_msg(cr_caps_task_has(unit_dir, 77, &err) == 1, "%s", text);
		}
	}
}
END_TEST

START_TEST(task_has_unclear)
{
	struct cr_error err = {0};
	char text[8192];

	ck_assert_int_eq(cr_caps_task_has(unit_dir, 78, &err), -1);
	unit_assert_error(&err, ESRCH, "78/task");
	/* a zombie does not run, whatever it had */
	fake_status("Name:\tsleep\nState:\tZ (zombie)\nCapInh:\t1\nCapPrm:\t1\nCapEff:\t1\nCapAmb:\t1\n");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), 0);
	fake_status("Name:\tState:\tZ\nState:\tS (sleeping)\nCapInh:\t1\nCapPrm:\t1\nCapEff:\t1\nCapAmb:\t1\n");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), 1);
	/* a thread that has just ended does not hide what the others have */
	fake_status("");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), 0);
	unit_write("77/task/78/status", "CapInh:\t0\nCapPrm:\t1\nCapEff:\t0\nCapAmb:\t0\n");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), 1);
	unit_write("77/task/78/status", "");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), -1);
	unit_assert_error(&err, ESRCH, "no capability lines");
	fake_status("CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\n");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), -1);
	unit_assert_error(&err, EINVAL, "no capability lines");
	fake_status("CapInh:\twhat\nCapPrm:\t0\nCapEff:\t0\nCapAmb:\t0\n");
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), -1);
	unit_assert_error(&err, EINVAL, "CapInh");
	/* hundreds of groups make a long line before those that count */
	strcpy(text, "Groups:\t");
	for (int i = 0; i < 500; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ", 100000 + i);
	strcat(text, "\nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapAmb:\t1\n");
	fake_status(text);
	ck_assert_int_eq(cr_caps_task_has(unit_dir, 77, &err), 1);
}
END_TEST

UNIT_MAIN("caps", {budget_full_bounding, false}, {budget_partial_bounding, false}, {budget_yama, false},
	  {budget_private_net, false}, {budget_refused, false}, {describe_is_bounded, false},
	  {bounding_is_the_kernels, false}, {ptrace_scope_is_the_kernels, false}, {keep_survives_setuid, false},
	  {mkdir_as_root, true}, {set_ambient_smallest, false}, {set_ambient_largest, false},
	  {set_ambient_without_rights, true}, {drop_is_for_good, false}, {drop_ptrace, false},
	  {drop_as_root, false}, {bare_root, false}, {bare_root_without_rights, true},
	  {shield_from_same_uid, true}, {shield_dies_with_parent, false}, {task_has_none, true},
	  {task_has_any, true}, {task_has_unclear, true})
