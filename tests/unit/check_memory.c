/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sys/prctl.h>

#include "../../libcrcore/memory.h"

#define MIB (UINT64_C(1) << 20)

/* A file with its directories below unit_dir. */
static void put(const char *name, const char *text)
{
	char path[PATH_MAX];

	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		(void)snprintf(path, sizeof(path), "%.*s", (int)(p - name), name);
		ck_assert(mkdir(unit_path(path), 0755) == 0 || errno == EEXIST);
	}
	unit_write(name, text);
}

static void put_number(const char *dir, const char *file, uint64_t value)
{
	char name[PATH_MAX], text[32];

	(void)snprintf(name, sizeof(name), "%s/%s", dir, file);
	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);
	put(name, text);
}

static void put_stat(const char *dir, const char *prefix, const char *dirty, uint64_t cache, uint64_t waits)
{
	char name[PATH_MAX], text[256];

	(void)snprintf(name, sizeof(name), "%s/memory.stat", dir);
	(void)snprintf(text, sizeof(text),
		       "inactive_anon 99999999999\n%sinactive_file %llu\n%s %llu\n%sactive_file 99999999999\n",
		       prefix, (unsigned long long)cache, dirty, (unsigned long long)waits, prefix);
	put(name, text);
}

static void put_meminfo(uint64_t mib)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "MemTotal: 99999999 kB\nMemFree: 1 kB\nMemAvailable:   %llu kB\nBuffers: 1 kB\n",
		       (unsigned long long)mib * 1024);
	put("proc/meminfo", text);
}

#define V1                                                                                                        \
	"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n30 31 0:2 / /cg/freezer rw - cgroup cgroup "            \
	"rw,freezer\n"
#define V2 "30 23 0:28 / /cg rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

static uint64_t free_of_fixture(void)
{
	struct cr_error err = {0};
	uint64_t bytes = 1;

	unit_assert_ok(cr_memory_free(unit_dir, &bytes, &err), &err);
	return bytes;
}

START_TEST(no_controller)
{
	put_meminfo(700);
	ck_assert_uint_eq(free_of_fixture(), 700 * MIB); /* nor even the files of proc */
	put("proc/self/cgroup", "6:freezer:/job\n");
	put("proc/self/mountinfo", V1);
	ck_assert_uint_eq(free_of_fixture(), 700 * MIB);
	/* version 2 mounted, the controller not in it */
	put("proc/self/mountinfo", V2);
	put("proc/self/cgroup", "0::/job\n");
	put("cg/job/cgroup.procs", "");
	ck_assert_uint_eq(free_of_fixture(), 700 * MIB);
}
END_TEST

static void v1_make(const char *root, const char *path)
{
	char text[1024];

	put_meminfo(4096);
	(void)snprintf(text, sizeof(text), V1 "31 31 0:3 %s /cg/memory rw - cgroup cgroup rw,memory\n", root);
	put("proc/self/mountinfo", text);
	(void)snprintf(text, sizeof(text), "6:freezer:/other\n4:memory:%s\n0::/\n", path);
	put("proc/self/cgroup", text);
	put_number("cg/memory", "memory.limit_in_bytes", UINT64_C(9223372036854771712));
	put_number("cg/memory", "memory.usage_in_bytes", 3000 * MIB);
}

START_TEST(version_1)
{
	v1_make("/", "/slurm/job_7/step_batch");
	put_number("cg/memory/slurm/job_7/step_batch", "memory.limit_in_bytes", UINT64_C(9223372036854771712));
	put_number("cg/memory/slurm/job_7/step_batch", "memory.usage_in_bytes", 400 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 4096 * MIB);
	/* the limit of the one above */
	put_number("cg/memory/slurm/job_7", "memory.limit_in_bytes", 1000 * MIB);
	put_number("cg/memory/slurm/job_7", "memory.usage_in_bytes", 900 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 100 * MIB);
	/* clean cache is free, what must be written first is not; nor is the cgroup's own share counted twice */
	put_stat("cg/memory/slurm/job_7", "total_", "total_dirty", 300 * MIB, 50 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 350 * MIB);
	put_stat("cg/memory/slurm/job_7", "total_", "total_writeback", 300 * MIB, 60 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 340 * MIB);
	put_stat("cg/memory/slurm/job_7", "total_", "total_dirty", 30 * MIB, 60 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 100 * MIB);
	put_stat("cg/memory/slurm/job_7", "", "dirty", 300 * MIB, 0); /* not of the descendants */
	ck_assert_uint_eq(free_of_fixture(), 100 * MIB);
	/* memory and swap together */
	put_number("cg/memory/slurm/job_7", "memory.memsw.limit_in_bytes", 1000 * MIB);
	put_number("cg/memory/slurm/job_7", "memory.memsw.usage_in_bytes", 980 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 20 * MIB);
	/* and the node, when it has less */
	put_meminfo(7);
	ck_assert_uint_eq(free_of_fixture(), 7 * MIB);
}
END_TEST

START_TEST(at_and_above_the_limit)
{
	v1_make("/", "/job");
	put_number("cg/memory/job", "memory.limit_in_bytes", 1000 * MIB);
	put_number("cg/memory/job", "memory.usage_in_bytes", 1000 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 0);
	put_number("cg/memory/job", "memory.usage_in_bytes", 1001 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 0);
	/* more cache than usage: the two are not read at one moment */
	put_stat("cg/memory/job", "total_", "total_dirty", 3000 * MIB, 0);
	ck_assert_uint_eq(free_of_fixture(), 1000 * MIB);
}
END_TEST

START_TEST(part_of_a_hierarchy)
{
	/* a container: the mount shows the cgroup at its top, proc names it from the real root */
	v1_make("/box/1", "/box/1/job");
	put_number("cg/memory/job", "memory.limit_in_bytes", 90 * MIB);
	put_number("cg/memory/job", "memory.usage_in_bytes", 10 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 80 * MIB);
	/* somewhere else: the top is what there is to see */
	v1_make("/box/1", "/box/12/job/deep");
	ck_assert_uint_eq(free_of_fixture(), 4096 * MIB);
	put_number("cg/memory", "memory.limit_in_bytes", 3010 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 10 * MIB);
	/* outside the namespace's root: not a step out of the mount */
	v1_make("/", "/../../job");
	put_number("cg", "memory.limit_in_bytes", 1);
	put_number("cg", "memory.usage_in_bytes", 1);
	ck_assert_uint_eq(free_of_fixture(), 4096 * MIB);
}
END_TEST

START_TEST(version_2)
{
	put_meminfo(4096);
	put("proc/self/mountinfo", V2);
	put("proc/self/cgroup", "0::/system.slice/job_7/user/task_0\n");
	put("cg/system.slice/job_7/user/task_0/memory.max", "max\n");
	put("cg/system.slice/job_7/user/task_0/memory.high", "max\n");
	put_number("cg/system.slice/job_7/user/task_0", "memory.current", 5 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 4096 * MIB);
	put_number("cg/system.slice/job_7", "memory.max", 1000 * MIB);
	put_number("cg/system.slice/job_7", "memory.current", 900 * MIB);
	put_stat("cg/system.slice/job_7", "", "file_dirty", 100 * MIB, 10 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 190 * MIB);
	put_stat("cg/system.slice/job_7", "", "file_writeback", 100 * MIB, 20 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 180 * MIB);
	put_number("cg/system.slice/job_7", "memory.high", 950 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 130 * MIB);
	/* the tightest one counts, wherever it is */
	put_number("cg/system.slice", "memory.max", 2000 * MIB);
	put_number("cg/system.slice", "memory.current", 1999 * MIB);
	ck_assert_uint_eq(free_of_fixture(), 1 * MIB);
}
END_TEST

START_TEST(what_cannot_be_read)
{
	struct cr_error err = {0};
	uint64_t bytes;

	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, EBADMSG, "no MemAvailable");
	put("proc/meminfo", "MemTotal: 1 kB\n");
	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, EBADMSG, "no MemAvailable");
	put("proc/meminfo", "MemAvailable: -5 kB\n");
	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, EBADMSG, "no number");
	v1_make("/", "/job");
	put("cg/memory/job/memory.limit_in_bytes", "");
	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, EBADMSG, "memory.limit_in_bytes: no number");
	put("cg/memory/job/memory.limit_in_bytes", "12x\n");
	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, EBADMSG, "memory.limit_in_bytes: no number");
	put("cg/memory/job/memory.limit_in_bytes", "12\n");
	ck_assert_int_eq(cr_memory_free(unit_dir, &bytes, &err), -1);
	unit_assert_error(&err, ENOENT, "memory.usage_in_bytes");
}
END_TEST

START_TEST(this_machine)
{
	struct cr_error err = {0};
	uint64_t bytes = 0;

	unit_assert_ok(cr_memory_free("", &bytes, &err), &err);
	ck_assert_uint_gt(bytes, 1 * MIB);
	ck_assert_uint_lt(bytes, UINT64_C(1) << 50);
}
END_TEST

START_TEST(oom_first)
{
	struct cr_error err = {0};
	char text[16] = "";
	FILE *f;

	unit_drop_root();
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
	ck_assert_int_eq(cr_memory_oom_first(&err), -1);
	unit_assert_error(&err, EACCES, "oom_score_adj");
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
	unit_assert_ok(cr_memory_oom_first(&err), &err);
	f = fopen("/proc/self/oom_score_adj", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_str_eq(text, "1000\n");
}
END_TEST

UNIT_MAIN("memory", {no_controller, true}, {version_1, true}, {at_and_above_the_limit, true},
	  {part_of_a_hierarchy, true}, {version_2, true}, {what_cannot_be_read, true}, {this_machine, false},
	  {oom_first, true})
