/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include "../../spank_cr/init/edits.h"
#include "proto/core.pb-c.h"
#include "proto/files.pb-c.h"

static unsigned told;

void edits_remark(struct edits *edits, const char *fmt, ...)
{
	(void)edits;
	(void)fmt;
	told++;
}

/* What the entry of a file is made of it, which has flags, size and mode. */
struct made {
	bool size, mode;
	uint32_t flags;
};

static struct made edit(struct edits *edits, const char *name, uint32_t flags, uint32_t mode, uint64_t size)
{
	struct cr_criuedit_entry at = {.name = "files.img", .arg = edits};
	Criu__RegFileEntry reg = CRIU__REG_FILE_ENTRY__INIT;
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;
	struct cr_error err = {0};
	int rc;

	file.reg = &reg;
	reg.name = (char *)unit_path(name);
	reg.has_flags = reg.has_size = reg.has_mode = true;
	reg.flags = flags;
	reg.size = size;
	reg.mode = mode;
	rc = edit_files(&file.base, &at, &err);
	ck_assert_int_eq(rc, reg.has_mode ? CR_CRIUEDIT_KEEP : CR_CRIUEDIT_CHANGED);
	return (struct made){.size = reg.has_size, .mode = reg.has_mode, .flags = reg.flags};
}

#define READ 0100000u /* O_LARGEFILE, which a descriptor has */

/* What somebody else has appended to, not what he has replaced. A file cannot be made in the past. */
static void foreign_files(struct edits *edits)
{
	struct cr_manifest *m = (struct cr_manifest *)edits->m;
	struct statx st;

	if (geteuid() != 0)
		return;
	unit_write("foreign", "table");
	ck_assert_int_eq(chown(unit_path("foreign"), UNIT_NOBODY, (gid_t)-1), 0);
	ck_assert(!edit(edits, "foreign", 0, S_IFREG | 0644, 4).size);
	ck_assert(edit(edits, "foreign", 0, S_IFREG | 0644, 6).size);
	m->time = (char *)"2200-01-01T00:00:00.000Z";
	ck_assert(!edit(edits, "foreign", 0, S_IFREG | 0644, 4).size);
	m->time = (char *)"2001-01-01T00:00:00.000Z";
	ck_assert_int_eq(statx(AT_FDCWD, unit_path("foreign"), 0, STATX_BTIME, &st), 0);
	ck_assert_int_eq(edit(edits, "foreign", 0, S_IFREG | 0644, 4).size, (st.stx_mask & STATX_BTIME) != 0);
	m->time = NULL;
}

START_TEST(files)
{
	char binary[PATH_MAX], output[PATH_MAX];
	struct cr_manifest_output outputs[] = {{.path = (char *)"/z"}, {.path = output}};
	struct cr_manifest_binary binaries[] = {{.path = (char *)"/z"}, {.path = binary}};
	struct cr_manifest m = {.outputs = outputs, .n_outputs = 2, .binaries = binaries, .n_binaries = 2};
	const struct job job = {0};
	struct edits edits = {.job = &job, .m = &m};
	struct made made;

	snprintf(binary, sizeof(binary), "%s", unit_path("library"));
	snprintf(output, sizeof(output), "%s", unit_path("written"));
	unit_write("input", "input");
	unit_write("library", "code");
	unit_write("written", "w");
	/* what is read may have any size and mode, but is to be a file */
	made = edit(&edits, "input", READ, S_IFREG | 0444, 1000);
	ck_assert(!made.size && !made.mode && made.flags == READ);
	made = edit(&edits, "input", READ, S_IFIFO | 0600, 5);
	ck_assert(made.size && made.mode);
	made = edit(&edits, "none", READ, S_IFREG | 0600, 5);
	ck_assert(made.size && made.mode);
	/* what is mapped may have grown, what has code in it not, what is put back is another matter */
	ck_assert_uint_eq(told, 0);
	made = edit(&edits, "input", 0, S_IFREG | 0600, 4);
	ck_assert(!made.size && !made.mode);
	ck_assert_uint_eq(told, 1);
	made = edit(&edits, "input", 0, S_IFREG | 0600, 6);
	ck_assert(made.size && !made.mode);
	made = edit(&edits, "library", 0, S_IFREG | 0755, 3);
	ck_assert(made.size && !made.mode);
	foreign_files(&edits);
	made = edit(&edits, "written", 0, S_IFREG | 0755, 3);
	ck_assert(!made.size && !made.mode);
	free(edits.binaries);
	free(edits.outputs);
}
END_TEST

START_TEST(directories)
{
	struct cr_manifest m = {0};
	const struct job job = {0};
	struct edits edits = {.job = &job, .m = &m};
	struct made made;

	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path("d"), 0700), 0);
	made = edit(&edits, "d", 0, S_IFDIR | 02770, 0);
	ck_assert(!made.mode && made.flags == 0);
	/* one that may not be read is worked in all the same */
	ck_assert_int_eq(chmod(unit_path("d"), 0300), 0);
	made = edit(&edits, "d", 0, S_IFDIR | 0700, 0);
	ck_assert(!made.mode && made.flags == O_PATH);
	made = edit(&edits, "d", READ | O_DIRECTORY, S_IFDIR | 0700, 0);
	ck_assert(!made.mode && made.flags == (READ | O_DIRECTORY));
	free(edits.binaries);
	free(edits.outputs);
}
END_TEST

START_TEST(no_files)
{
	struct cr_criuedit_entry at = {.name = "files.img"};
	Criu__RegFileEntry reg = CRIU__REG_FILE_ENTRY__INIT;
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;
	struct cr_error err = {0};

	ck_assert_int_eq(edit_files(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	file.reg = &reg;
	reg.has_mode = true;
	ck_assert_int_eq(edit_files(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	reg.name = (char *)"file[5:1]";
	ck_assert_int_eq(edit_files(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	reg.name = (char *)"/";
	reg.ext = true;
	ck_assert_int_eq(edit_files(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
}
END_TEST

/* A generation without images has no thread. */
START_TEST(timers_of_threads_that_have_ended)
{
	struct edits edits = {0};
	struct cr_criuedit_entry at = {.name = "core-7.img", .arg = &edits};
	Criu__PosixTimerEntry dead = CRIU__POSIX_TIMER_ENTRY__INIT, plain = CRIU__POSIX_TIMER_ENTRY__INIT;
	Criu__PosixTimerEntry *both[] = {&plain, &dead};
	Criu__TaskTimersEntry timers = CRIU__TASK_TIMERS_ENTRY__INIT;
	Criu__TaskCoreEntry task = CRIU__TASK_CORE_ENTRY__INIT;
	Criu__CoreEntry core = CRIU__CORE_ENTRY__INIT;
	struct cr_error err = {0};

	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
	core.tc = &task;
	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
	task.timers = &timers;
	timers.posix = both;
	timers.n_posix = 2;
	plain.has_it_sigev_notify = dead.has_it_sigev_notify = true;
	plain.it_sigev_notify = SIGEV_SIGNAL;
	dead.it_sigev_notify = SIGEV_THREAD_ID;
	dead.has_notify_thread_id = true;
	dead.notify_thread_id = 8;
	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_CHANGED);
	ck_assert_uint_eq(dead.it_sigev_notify, SIGEV_NONE);
	ck_assert(!dead.has_notify_thread_id);
	ck_assert_uint_eq(plain.it_sigev_notify, SIGEV_SIGNAL);
	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
}
END_TEST

/* pthread_getcpuclockid of a thread, clock_getcpuclockid of a process. */
START_TEST(timers_of_the_processor_time_of_what_has_ended)
{
	struct edits edits = {0};
	struct cr_criuedit_entry at = {.name = "core-7.img", .arg = &edits};
	Criu__PosixTimerEntry own = CRIU__POSIX_TIMER_ENTRY__INIT, thread = CRIU__POSIX_TIMER_ENTRY__INIT,
			      process = CRIU__POSIX_TIMER_ENTRY__INIT, device = CRIU__POSIX_TIMER_ENTRY__INIT;
	Criu__PosixTimerEntry *all[] = {&own, &thread, &process, &device};
	Criu__TaskTimersEntry timers = CRIU__TASK_TIMERS_ENTRY__INIT;
	Criu__TaskCoreEntry task = CRIU__TASK_CORE_ENTRY__INIT;
	Criu__CoreEntry core = CRIU__CORE_ENTRY__INIT;
	struct cr_error err = {0};

	core.tc = &task;
	task.timers = &timers;
	timers.posix = all;
	timers.n_posix = 4;
	own.clock_id = ~UINT32_C(0) << 3 | 2; /* the kernel's own name for CLOCK_PROCESS_CPUTIME_ID */
	thread.clock_id = ~UINT32_C(1234) << 3 | 6;
	thread.it_sigev_notify = SIGEV_SIGNAL;
	thread.has_vsec = true;
	thread.vsec = 1000;
	process.clock_id = ~UINT32_C(1234) << 3 | 2;
	process.it_sigev_notify = SIGEV_NONE;
	device.clock_id = ~UINT32_C(5) << 3 | 3;
	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_CHANGED);
	ck_assert_uint_eq(own.clock_id, ~UINT32_C(0) << 3 | 2);
	ck_assert_uint_eq(device.clock_id, ~UINT32_C(5) << 3 | 3);
	ck_assert_uint_eq(thread.clock_id, CLOCK_MONOTONIC);
	ck_assert_uint_eq(thread.it_sigev_notify, SIGEV_NONE);
	ck_assert(thread.has_vsec && thread.vsec == 0 && thread.has_isec && thread.has_vnsec);
	ck_assert_uint_eq(process.clock_id, CLOCK_MONOTONIC);
	ck_assert_int_eq(edit_timers(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
}
END_TEST

START_TEST(limits_that_are_none)
{
	struct cr_manifest m = {.format = 3}, old = {.format = 2};
	struct edits edits = {.m = &m}, before = {.m = &old};
	struct cr_criuedit_entry at = {.name = "core-7.img", .arg = &edits};
	Criu__RlimitEntry limit[2] = {CRIU__RLIMIT_ENTRY__INIT, CRIU__RLIMIT_ENTRY__INIT},
			  *two[] = {limit, limit + 1};
	Criu__TaskRlimitsEntry limits = CRIU__TASK_RLIMITS_ENTRY__INIT;
	Criu__TaskCoreEntry tc = CRIU__TASK_CORE_ENTRY__INIT;
	Criu__CoreEntry core = CRIU__CORE_ENTRY__INIT;
	struct cr_error err = {0};

	ck_assert(edit_limits_wanted(&edits));
	ck_assert(!edit_limits_wanted(&before));
	/* another thread, a zombie */
	ck_assert_int_eq(edit_limits(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
	core.tc = &tc;
	ck_assert_int_eq(edit_limits(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
	tc.rlimits = &limits;
	ck_assert_int_eq(edit_limits(&core.base, &at, &err), CR_CRIUEDIT_KEEP);
	limits.rlimits = two;
	limits.n_rlimits = 2;
	limit[0].has_cur = limit[0].has_max = true;
	limit[0].cur = limit[0].max = 4096;
	ck_assert_int_eq(edit_limits(&core.base, &at, &err), CR_CRIUEDIT_CHANGED);
	for (int i = 0; i < 2; i++)
		ck_assert(limit[i].has_cur && limit[i].has_max && limit[i].cur == UINT64_MAX &&
			  limit[i].max == UINT64_MAX);
}
END_TEST

/* What became of a socket's address, and whether it is all addresses now. */
static int moved(const char *net, int family, const char *address, bool *all)
{
	struct cr_manifest m = {.net = (char *)net};
	const struct job job = {0};
	struct edits edits = {.job = &job, .m = &m};
	struct cr_criuedit_entry at = {.name = "files.img", .arg = &edits};
	Criu__InetSkEntry isk = CRIU__INET_SK_ENTRY__INIT;
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;
	uint32_t words[4] = {0};
	struct cr_error err = {0};
	int rc;

	ck_assert_int_eq(inet_pton(family, address, words), 1);
	file.isk = &isk;
	isk.has_family = true;
	isk.family = (uint32_t)family;
	isk.n_src_addr = family == AF_INET ? 1 : 4;
	isk.src_addr = words;
	rc = edit_sockets(&file.base, &at, &err);
	*all = !words[0] && !words[1] && !words[2] && !words[3];
	return rc;
}

START_TEST(addresses_of_another_node)
{
	int six = socket(AF_INET6, SOCK_DGRAM, 0);
	bool all;

	ck_assert_int_eq(moved("host", AF_INET, "192.0.2.1", &all), CR_CRIUEDIT_CHANGED);
	ck_assert(all);
	ck_assert_int_eq(moved("host", AF_INET, "127.0.0.1", &all), CR_CRIUEDIT_KEEP);
	ck_assert(!all);
	ck_assert_int_eq(moved("host", AF_INET, "0.0.0.0", &all), CR_CRIUEDIT_KEEP);
	ck_assert_int_eq(moved("host", AF_INET, "224.0.0.251", &all), CR_CRIUEDIT_KEEP);
	ck_assert_int_eq(moved("private", AF_INET, "192.0.2.1", &all), CR_CRIUEDIT_KEEP);
	ck_assert(!all);
	if (six < 0)
		return;
	close(six);
	ck_assert_int_eq(moved(NULL, AF_INET6, "2001:db8::1", &all), CR_CRIUEDIT_CHANGED);
	ck_assert(all);
	ck_assert_int_eq(moved(NULL, AF_INET6, "::ffff:192.0.2.1", &all), CR_CRIUEDIT_CHANGED);
	ck_assert(all);
}
END_TEST

/* A socket bound to an address on an interface, as criu notes it: link, the interface of an address that takes
 * one. */
static int bound(const char *address, const char *link, const char *device, Criu__InetSkEntry *isk)
{
	struct cr_manifest m = {.net = (char *)"host"};
	const struct job job = {0};
	struct edits edits = {.job = &job, .m = &m};
	struct cr_criuedit_entry at = {.name = "files.img", .arg = &edits};
	static Criu__SkOptsEntry opts;
	static uint32_t words[4];
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;
	struct cr_error err = {0};

	criu__sk_opts_entry__init(&opts);
	criu__inet_sk_entry__init(isk);
	ck_assert_int_eq(inet_pton(AF_INET6, address, words), 1);
	isk->has_family = true;
	isk->family = AF_INET6;
	isk->has_src_port = true;
	isk->src_port = 4711;
	isk->n_src_addr = 4;
	isk->src_addr = words;
	isk->opts = &opts;
	isk->ifname = link ? strdup(link) : NULL;
	opts.so_bound_dev = strdup(device);
	file.isk = isk;
	return edit_sockets(&file.base, &at, &err);
}

static void bound_free(Criu__InetSkEntry *isk)
{
	free(isk->ifname);
	free(isk->opts->so_bound_dev);
}

START_TEST(interfaces)
{
	int six = socket(AF_INET6, SOCK_DGRAM, 0);
	Criu__InetSkEntry isk;

	if (six < 0)
		return;
	close(six);
	ck_assert_int_eq(bound("::", NULL, "lo", &isk), CR_CRIUEDIT_KEEP);
	ck_assert_str_eq(isk.opts->so_bound_dev, "lo");
	bound_free(&isk);
	ck_assert_int_eq(bound("::", NULL, "none0", &isk), CR_CRIUEDIT_CHANGED);
	ck_assert_ptr_null(isk.opts->so_bound_dev);
	bound_free(&isk);
	/* a group of the link: by its interface, which criu does not note, and once */
	ck_assert_int_eq(bound("ff02::fb", NULL, "lo", &isk), CR_CRIUEDIT_CHANGED);
	ck_assert_str_eq(isk.ifname, "lo");
	ck_assert_ptr_null(isk.opts->so_bound_dev);
	ck_assert_uint_ne(isk.src_addr[0], 0);
	bound_free(&isk);
	/* an address that this node has not, on an interface that it has, and on one that it has not */
	ck_assert_int_eq(bound("fe80::4711", "lo", "lo", &isk), CR_CRIUEDIT_CHANGED);
	ck_assert_ptr_null(isk.ifname);
	ck_assert_str_eq(isk.opts->so_bound_dev, "lo");
	ck_assert_uint_eq(isk.src_addr[0], 0);
	bound_free(&isk);
	ck_assert_int_eq(bound("fe80::4711", "none0", "none0", &isk), CR_CRIUEDIT_CHANGED);
	ck_assert_ptr_null(isk.ifname);
	ck_assert_ptr_null(isk.opts->so_bound_dev);
	ck_assert_uint_eq(isk.src_addr[0], 0);
	bound_free(&isk);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {{files, true},
					  {directories, true},
					  {no_files, false},
					  {timers_of_threads_that_have_ended, false},
					  {timers_of_the_processor_time_of_what_has_ended, false},
					  {limits_that_are_none, false},
					  {addresses_of_another_node, false},
					  {interfaces, false}};

	return unit_main("edits", tests, sizeof(tests) / sizeof(tests[0]));
}
