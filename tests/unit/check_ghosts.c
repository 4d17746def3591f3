/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sys/stat.h>

#include "../../spank_cr/init/ghosts.h"

static struct ghosts g;
static char tmp[PATH_MAX], shm[PATH_MAX], path[PATH_MAX];

static void begin(void)
{
	snprintf(tmp, sizeof(tmp), "%s", unit_path("tmp"));
	snprintf(shm, sizeof(shm), "%s", unit_path("shm"));
	ck_assert_int_eq(mkdir(tmp, 0700), 0);
	ck_assert_int_eq(mkdir(shm, 0700), 0);
	g = (struct ghosts){.tmp = tmp, .shm = shm};
}

START_TEST(places)
{
	const struct ghost lib = {.id = 3, .base = tmp}, stays = {.id = 4}, memory = {.id = 5, .base = shm};
	struct cr_error err = {0};

	begin();
	/* left by an attempt that was interrupted */
	ck_assert_int_eq(mkdir(unit_path("tmp/" GHOSTS), 0700), 0);
	unit_write("tmp/" GHOSTS "/3", "in the way");
	ck_assert_int_eq(ghosts_place(&g, &stays, "/a/b", path, sizeof(path), &err), 0);
	ck_assert_int_eq(ghosts_place(&g, &lib, "/usr/lib/libx.so", path, sizeof(path), &err), 1);
	ck_assert_str_eq(path, unit_path("tmp/" GHOSTS "/3/usr/lib/libx.so"));
	ck_assert(unit_exists("tmp/" GHOSTS "/3/usr/lib"));
	/* the second name of the same, and the second restore */
	ck_assert_int_eq(ghosts_place(&g, &lib, "/usr/lib/liby.so", path, sizeof(path), &err), 1);
	ck_assert_int_eq(
		ghosts_place(&g, &lib, unit_path("tmp/" GHOSTS "/17/usr/lib/libx.so"), path, sizeof(path), &err),
		1);
	ck_assert_str_eq(path, unit_path("tmp/" GHOSTS "/3/usr/lib/libx.so"));
	ck_assert_int_eq(ghosts_place(&g, &memory, "/dev/shm/m", path, sizeof(path), &err), 1);
	ck_assert_str_eq(path, unit_path("shm/" GHOSTS "/5/dev/shm/m"));
}
END_TEST

START_TEST(not_through_a_link)
{
	const struct ghost lib = {.id = 3, .base = tmp};
	struct cr_error err = {0};

	begin();
	ck_assert_int_eq(mkdir(unit_path("other"), 0700), 0);
	unit_write("other/kept", "x");
	ck_assert_int_eq(symlink(unit_path("other"), unit_path("tmp/" GHOSTS)), 0);
	ck_assert_int_eq(ghosts_place(&g, &lib, "/a/b", path, sizeof(path), &err), 1);
	ck_assert(unit_exists("other/kept"));
	ck_assert(!unit_exists("other/3"));
}
END_TEST

START_TEST(long_names)
{
	const struct ghost lib = {.id = 3, .base = tmp};
	struct cr_error err = {0};
	char name[PATH_MAX] = "", more[2 * PATH_MAX];

	begin();
	while (strlen(name) < PATH_MAX - 100)
		strcat(name, "/abcdefghijklmnopqrstuvwxyz");
	strcat(name, "/end");
	ck_assert_int_eq(ghosts_place(&g, &lib, name, path, sizeof(path), &err), 1);
	ck_assert_str_eq(path, unit_path("tmp/" GHOSTS "/3/end"));
	/* criu adds to the last part, which may have 255 bytes */
	memset(name, 'n', sizeof(name));
	memcpy(name, "/a/", 3);
	name[3 + 255] = '\0';
	ck_assert_int_eq(ghosts_place(&g, &lib, name, path, sizeof(path), &err), 1);
	name[3 + 200] = '\0';
	ck_assert_str_eq(path + strlen(tmp), strcat(strcpy(more, "/" GHOSTS "/3"), name));
}
END_TEST

START_TEST(origin)
{
	begin();
	ck_assert_str_eq(ghosts_origin(&g, "/a/b"), "/a/b");
	ck_assert_str_eq(ghosts_origin(&g, unit_path("tmp/" GHOSTS "/1/a/b")), "/a/b");
	ck_assert_str_eq(ghosts_origin(&g, unit_path("shm/" GHOSTS "/12/a")), "/a");
	ck_assert_str_eq(ghosts_origin(&g, unit_path("tmp/" GHOSTS "/12")), unit_path("tmp/" GHOSTS "/12"));
	ck_assert_str_eq(ghosts_origin(&g, unit_path("tmp/" GHOSTS "s/1/a")), unit_path("tmp/" GHOSTS "s/1/a"));
}
END_TEST

START_TEST(owner)
{
	struct ghost ghost = {.uid = geteuid(), .gid = getegid(), .mode = S_IFREG | 04755};
	uint32_t uid, gid, mode;

	ck_assert(!ghosts_mode(&ghost, &uid, &gid, &mode));
	ck_assert_uint_eq(mode, S_IFREG | 04755);
	/* somebody else's: no set-user-id program of this user comes of it, and it can be read as it could */
	ghost = (struct ghost){.uid = geteuid() + 1, .gid = getegid() + 4711, .mode = S_IFREG | 06055};
	ck_assert(ghosts_mode(&ghost, &uid, &gid, &mode));
	ck_assert_uint_eq(uid, geteuid());
	ck_assert_uint_eq(gid, getegid());
	ck_assert_uint_eq(mode, S_IFREG | 0555);
	/* open for writing, and its permissions went */
	ghost = (struct ghost){.uid = geteuid(), .gid = getegid(), .mode = S_IFREG | 0400, .want = 0600};
	ck_assert(ghosts_mode(&ghost, &uid, &gid, &mode));
	ck_assert_uint_eq(mode, S_IFREG | 0600);
}
END_TEST

START_TEST(entries)
{
	struct ghost list[] = {{.id = 2}, {.id = 5}};
	struct ghost_name names[] = {{11, 5}, {12, 2}, {19, 5}};

	g = (struct ghosts){.list = list, .n = 2, .names = names, .n_names = 3};
	ck_assert_ptr_eq(ghosts_find(&g, 11), &list[1]);
	ck_assert_ptr_eq(ghosts_find(&g, 12), &list[0]);
	ck_assert_ptr_eq(ghosts_find(&g, 19), &list[1]);
	ck_assert_ptr_null(ghosts_find(&g, 13));
	ck_assert_ptr_eq(ghosts_get(&g, 5), &list[1]);
	ck_assert_ptr_null(ghosts_get(&g, 6));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{places, true}, {not_through_a_link, true}, {long_names, true}, {origin, true},
		{owner, false}, {entries, false},
	};

	return unit_main("ghosts", tests, sizeof(tests) / sizeof(tests[0]));
}
