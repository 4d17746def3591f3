/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/links.h"
#include "../../spank_cr/init/shim.h"
#include "../../spank_cr/init/shim_links.h"

START_TEST(names)
{
	ck_assert(shim_link_name("./dev/shm/link_remap.5"));
	ck_assert(shim_link_name("dev/shm/a b/link_remap.17"));
	ck_assert(shim_link_name("./tmp/link_remap.5"));
	ck_assert(shim_link_name("./var/tmp/x/link_remap.5"));
	ck_assert(!shim_link_name("./home/alice/link_remap.5"));
	ck_assert(!shim_link_name("./link_remap.5"));
	ck_assert(!shim_link_name("./tmp"));
	ck_assert(!shim_link_name("./tmp/../home/link_remap.5"));
	ck_assert(!shim_link_name("../tmp/link_remap.5"));
	ck_assert(!shim_link_name("./tmp/link_remap."));
	ck_assert(!shim_link_name("./tmp/link_remap.5x"));
	ck_assert(!shim_link_name("./tmp/mine"));
	ck_assert(!shim_link_name(""));
}
END_TEST

START_TEST(meant)
{
	ck_assert(shim_link_meant("", "./dev/shm/link_remap.5", AT_EMPTY_PATH));
	ck_assert(!shim_link_meant("dev/shm/link_remap.5", "./dev/shm/sem.x", 0));
	ck_assert(!shim_link_meant("", "./dev/shm/sem.x", AT_EMPTY_PATH));
	ck_assert(!shim_link_meant("x", "./dev/shm/link_remap.5", AT_EMPTY_PATH));
}
END_TEST

START_TEST(left_behind)
{
	const char *mine = "/tmp/link_remap.4711004711", *other = unit_write("kept", "x");
	struct job job = {.home = unit_dir};
	char note[2 * PATH_MAX + 64];
	int fd = open(mine, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(note, sizeof(note), ".%s\n.%s\n%s\n\n", mine, other, other);
	unit_write(SHIM_LINKS, note);
	links_remove(&job);
	ck_assert_int_eq(access(mine, F_OK), -1);
	ck_assert(unit_exists("kept"));
	ck_assert(!unit_exists(SHIM_LINKS));
	links_remove(&job);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {{names, false}, {meant, false}, {left_behind, true}};

	return unit_main("links", tests, sizeof(tests) / sizeof(tests[0]));
}
