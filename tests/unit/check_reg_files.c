/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/reg_files.h"

#define MAGIC "\x19\x43\x56\x54\x38\x31\x30\x56"

/* A reg_file_entry: id 9, flags, pos 300, fown (two bytes), name, mnt_id, size 300, mode 0100644 */
#define REG(name) "\x08\x09\x10\x02\x18\xac\x02\x2a\x02\x08\x00\x32\x04" name "\x38\x05"
#define SIZE	  "\x40\xac\x02"
#define MODE	  "\x50\xa4\x83\x02"
#define AFTER	  "\x5a\x01\x07"

#define bytes(text) text, sizeof(text) - 1

static bool match_f(const char *name, size_t n, void *arg)
{
	ck_assert_ptr_null(arg);
	return n == 4 && memcmp(name, "/f/f", 4) == 0;
}

static size_t record(char *to, const char *entry, size_t n)
{
	const uint32_t length = (uint32_t)n;

	memcpy(to, &length, sizeof(length));
	memcpy(to + sizeof(length), entry, n);
	return sizeof(length) + n;
}

/* A file_entry of type REG around a reg_file_entry. */
static size_t file(char *to, const char *reg, size_t n)
{
	char entry[256] = "\x08\x01\x10\x09\x1a";
	size_t at = 5;

	entry[at++] = (char)n;
	memcpy(entry + at, reg, n);
	memcpy(entry + at + n, "\x98\x06\x01", 3); /* a field of later versions */
	return record(to, entry, at + n + 3);
}

START_TEST(forget)
{
	char image[1024] = MAGIC, want[1024] = MAGIC;
	struct cr_error err = {0};
	size_t n = 8, wanted = 8;

	n += file(image + n, bytes(REG("/f/f") SIZE MODE AFTER));
	n += file(image + n, bytes(REG("/f/g") SIZE MODE AFTER));
	n += record(image + n, bytes("\x08\x02\x10\x0a\x8a\x01\x02\x08\x00")); /* a pipe, no reg */
	n += file(image + n, bytes(REG("/f/f") MODE));
	n += file(image + n, bytes(REG("/f/f")));
	n += file(image + n, bytes("\x08\x09\x10\x02")); /* without a name */
	wanted += file(want + wanted, bytes(REG("/f/f") AFTER));
	wanted += file(want + wanted, bytes(REG("/f/g") SIZE MODE AFTER));
	wanted += record(want + wanted, bytes("\x08\x02\x10\x0a\x8a\x01\x02\x08\x00"));
	wanted += file(want + wanted, bytes(REG("/f/f")));
	wanted += file(want + wanted, bytes(REG("/f/f")));
	wanted += file(want + wanted, bytes("\x08\x09\x10\x02"));
	unit_assert_ok(reg_files_forget(image, &n, match_f, NULL, &err), &err);
	ck_assert_uint_eq(n, wanted);
	ck_assert_int_eq(memcmp(image, want, n), 0);
	n = 8;
	unit_assert_ok(reg_files_forget(image, &n, match_f, NULL, &err), &err);
	ck_assert_uint_eq(n, 8);
}
END_TEST

static void refused(const char *image, size_t n)
{
	char copy[1024];
	struct cr_error err = {0};
	size_t size = n;

	memcpy(copy, image, n);
	ck_assert_int_eq(reg_files_forget(copy, &size, match_f, NULL, &err), -1);
	ck_assert_int_eq(err.errnum, EBADMSG);
}

START_TEST(what_is_no_image)
{
	char image[1024] = MAGIC;
	size_t n = 8 + file(image + 8, bytes(REG("/f/f") SIZE MODE));

	/* cut anywhere but at its beginning */
	for (size_t i = 0; i < n; i++) {
		if (i != 8)
			refused(image, i);
	}
	image[0] ^= 1;
	refused(image, n);
	image[0] ^= 1;
	image[4] ^= 1;
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x1a\x05\x32\x03/f")); /* reg longer than its entry */
	memcpy(image, MAGIC, 8);
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x1a\x04\x32\x05/f")); /* name longer than reg */
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x1b\x04")); /* a group */
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x00\x04")); /* field 0 */
	refused(image, n);
	n = 8 +
	    record(image + 8, bytes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")); /* a number too long */
	refused(image, n);
	n = 8 + record(image + 8, bytes("\x09\x01")); /* eight bytes, of which there is one */
	refused(image, n);
	n = 8 + record(image + 8, "", 0);
	refused(image, n);
}
END_TEST

/* Whatever it is: within its bytes, and never longer. */
START_TEST(noise)
{
	unsigned seed = 4711;

	for (int i = 0; i < 200000; i++) {
		char image[128] = MAGIC;
		struct cr_error err = {0};
		size_t n = 8 + file(image + 8, bytes(REG("/f/f") SIZE MODE AFTER)), size = n;
		char *copy;

		for (int k = 0; k < 2; k++)
			image[12 + (size_t)rand_r(&seed) % (n - 12)] = (char)rand_r(&seed);
		/* on the heap, where a sanitizer sees its end */
		copy = malloc(n);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, image, n);
		if (reg_files_forget(copy, &size, match_f, NULL, &err) == 0)
			ck_assert_uint_le(size, n);
		free(copy);
	}
}
END_TEST

UNIT_MAIN("reg_files", {forget, false}, {what_is_no_image, false}, {noise, false})
