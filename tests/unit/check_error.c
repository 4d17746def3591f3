/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

START_TEST(set_returns_minus_one)
{
	struct cr_error err = {0};

	ck_assert_int_eq(cr_error_set(&err, ENOENT, "no %s in %d", "milk", 7), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
	ck_assert_str_eq(err.text, "no milk in 7");
	ck_assert_int_eq(cr_error_sys(&err, EACCES, "/x"), -1);
	ck_assert_str_eq(err.text, "/x: Permission denied");
	ck_assert_int_eq(cr_error_prefix(&err, "step %d", 2), -1);
	ck_assert_str_eq(err.text, "step 2: /x: Permission denied");
	ck_assert_int_eq(err.errnum, EACCES);
}
END_TEST

START_TEST(null_is_fine)
{
	ck_assert_int_eq(cr_error_set(NULL, 1, "x"), -1);
	ck_assert_int_eq(cr_error_sys(NULL, 1, "x"), -1);
	ck_assert_int_eq(cr_error_prefix(NULL, "x"), -1);
}
END_TEST

START_TEST(errnum_is_never_zero)
{
	struct cr_error err = {0};

	cr_error_set(&err, 0, "x");
	ck_assert_int_ne(err.errnum, 0);
	cr_error_sys(&err, 0, "x");
	ck_assert_int_ne(err.errnum, 0);
	cr_error_sys(&err, 99999, "x");
	unit_assert_error(&err, 99999, "x: Unknown error 99999");
}
END_TEST

START_TEST(stays_one_line)
{
	struct cr_error err = {0};

	cr_error_set(&err, EINVAL,
		     "a\nb\tc\x7f"
		     "d\x1b[31m\n\n");
	ck_assert_str_eq(err.text, "a b c d [31m");
}
END_TEST

START_TEST(long_texts_are_cut)
{
	struct cr_error err = {0};
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_error_set(&err, EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	cr_error_sys(&err, EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	cr_error_prefix(&err, "front");
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_int_eq(strncmp(err.text, "front: xxx", 10), 0);
	cr_error_prefix(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

START_TEST(own_text_as_argument)
{
	struct cr_error err = {0};

	cr_error_set(&err, EINVAL, "inner");
	cr_error_set(&err, EINVAL, "outer(%s)", err.text);
	ck_assert_str_eq(err.text, "outer(inner)");
	cr_error_prefix(&err, "<%s>", err.text);
	ck_assert_str_eq(err.text, "<outer(inner)>: outer(inner)");
}
END_TEST

UNIT_MAIN("error", {set_returns_minus_one, false}, {null_is_fine, false}, {errnum_is_never_zero, false},
	  {stays_one_line, false}, {long_texts_are_cut, false}, {own_text_as_argument, false})
