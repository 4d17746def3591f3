/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <pwd.h>

#include "../../libcrcore/cleanup.h"
#include "../../spank_cr/cli/site.h"

/* The uids found for template below unit_dir, as "1 65534". */
static const char *found(const char *template)
{
	static char text[256];
	cleanup_free uid_t *users = NULL;
	struct cr_error err = {0};
	size_t n = 77;

	unit_assert_ok(site_users(unit_path(template), &users, &n, &err), &err);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			       (unsigned int)users[i]);
	return text;
}

static void make(const char *name)
{
	ck_assert_int_eq(mkdir(unit_path(name), 0700), 0);
}

START_TEST(names_and_numbers)
{
	if (!getpwnam("daemon") || !getpwnam("root"))
		return;
	make("daemon");
	make("root");
	make("nobody-of-this-name");
	make("1");
	make("0001");
	make("-1");
	make("4294967297");
	make("pre.daemon.post");
	unit_write("a-file", "x");
	ck_assert_str_eq(found("%u"), "1");
	ck_assert_str_eq(found("%u/checkpoints/%U"), "1");
	ck_assert_str_eq(found("%U"), "1");
	ck_assert_str_eq(found("pre.%u.post/x"), "1");
	ck_assert_str_eq(found("pre.%u.other"), "");
	ck_assert_str_eq(found("%u%U"), "");
	ck_assert_str_eq(found("none/%u"), "");
	/* by the owner, where the name alone would not do */
	if (geteuid() == 0) {
		make("100%-daemon-1");
		ck_assert_int_eq(chown(unit_path("100%-daemon-1"), 1, 1), 0);
		ck_assert_str_eq(found("100%%-%u-%U"), "1");
	}
}
END_TEST

START_TEST(owners)
{
	make("4711");
	make("4712");
	unit_drop_root();
	/* without a user in the template: root's own do not count */
	ck_assert_str_eq(found("none"), "");
	if (geteuid() == 0 || !getpwuid(geteuid()))
		return;
	make("shared");
	make("shared/1");
	make("shared/2");
	make("shared/100%");
	ck_assert_uint_gt(strlen(found("shared")), 0);
	ck_assert_ptr_null(strchr(found("shared"), ' '));
	ck_assert_str_eq(found("shared/100%%"), "");
}
END_TEST

START_TEST(bad_templates)
{
	struct cr_error err = {0};
	uid_t *users = NULL;
	size_t n = 0;

	ck_assert_int_eq(site_users("/x/%j/y", &users, &n, &err) == 0 && n > 0, 0);
	ck_assert_ptr_null(users);
	unit_write("file", "x");
	ck_assert_int_eq(site_users(unit_path("file"), &users, &n, &err), -1);
	unit_assert_error(&err, ENOTDIR, "cannot list");
}
END_TEST

UNIT_MAIN("site", {names_and_numbers, true}, {owners, true}, {bad_templates, true})
