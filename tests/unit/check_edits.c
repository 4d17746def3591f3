/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>

#include "../../spank_cr/init/edits.h"
#include "proto/core.pb-c.h"
#include "proto/files.pb-c.h"

START_TEST(files_that_are_kept)
{
	struct cr_manifest_output outputs[] = {{.path = (char *)"/f/z"}, {.path = (char *)"/f/a"}};
	const struct job job = {.files = CR_FILES_KEEP}, copy = {.files = CR_FILES_COPY};
	struct cr_manifest m = {.outputs = outputs, .n_outputs = 2};
	struct edits edits = {.job = &job, .m = &m}, other = {.job = &copy, .m = &m};
	struct cr_criuedit_entry at = {.name = "files.img", .arg = &edits};
	Criu__RegFileEntry reg = CRIU__REG_FILE_ENTRY__INIT;
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;
	struct cr_error err = {0};

	ck_assert(edit_keep_wanted(&edits));
	ck_assert(!edit_keep_wanted(&other));
	ck_assert_int_eq(edit_keep(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	file.reg = &reg;
	reg.has_size = reg.has_mode = true;
	ck_assert_int_eq(edit_keep(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	reg.name = (char *)"/f/b";
	ck_assert_int_eq(edit_keep(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	ck_assert(reg.has_size && reg.has_mode);
	reg.name = (char *)"/f/a";
	ck_assert_int_eq(edit_keep(&file.base, &at, &err), CR_CRIUEDIT_CHANGED);
	ck_assert(!reg.has_size && !reg.has_mode);
	ck_assert_int_eq(edit_keep(&file.base, &at, &err), CR_CRIUEDIT_KEEP);
	free(edits.kept);
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

int main(void)
{
	const struct unit_test tests[] = {{files_that_are_kept, false},
					  {timers_of_threads_that_have_ended, false}};

	return unit_main("edits", tests, sizeof(tests) / sizeof(tests[0]));
}
