/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/criuimg.h"

#define MAGIC "\x19\x43\x56\x54\x38\x31\x30\x56"

#define bytes(text) (const unsigned char *)(text), sizeof(text) - 1

/* What was found, as text: h8 is a head of eight bytes, e3 an entry of three, +5 what it says follows, p5 that. */
static int walk(char text[512], const char *name, const unsigned char *data, size_t size, size_t step,
		struct cr_error *err)
{
	struct cr_criuimg img;
	struct cr_criuimg_piece piece;
	size_t payload = 0, at = 0;
	int rc = 0;

	cr_criuimg_init(&img, name);
	text[0] = '\0';
	while (rc == 0 && size > 0) {
		const unsigned char *part = data;
		size_t n = step < size ? step : size, left = n;

		while ((rc = cr_criuimg_next(&img, &part, &left, &piece, err)) > 0) {
			if (piece.part == CR_CRIUIMG_PAYLOAD) {
				payload += piece.size;
				continue;
			}
			if (payload)
				at += (size_t)snprintf(text + at, 512 - at, "p%zu ", payload);
			payload = 0;
			at += (size_t)snprintf(text + at, 512 - at, "%c%zu ",
					       piece.part == CR_CRIUIMG_HEAD ? 'h' : 'e', piece.size);
			if (piece.payload)
				at += (size_t)snprintf(text + at, 512 - at, "+%lld ", (long long)piece.payload);
		}
		if (rc == 0)
			ck_assert_uint_eq(left, 0);
		data += n;
		size -= n;
	}
	if (payload)
		(void)snprintf(text + at, 512 - at, "p%zu ", payload);
	if (rc == 0)
		rc = cr_criuimg_end(&img, err);
	cr_criuimg_clear(&img);
	return rc;
}

/* However it is cut. */
static void found(const char *name, const unsigned char *data, size_t size, const char *want)
{
	struct cr_error err = {0};
	char text[512];

	for (size_t step = 1; step <= size; step++) {
		unit_assert_ok(walk(text, name, data, size, step, &err), &err);
		ck_assert_str_eq(text, want);
	}
}

START_TEST(entries)
{
	found("files.img", bytes(MAGIC), "h8 ");
	found("files.img", bytes(MAGIC "\x02\0\0\0\x08\x01\x00\0\0\0\x03\0\0\0\x08\x01\x00"), "h8 e2 e0 e3 ");
	found("inventory.img", bytes("\x16\x31\x31\x58\x02\0\0\0\x08\x01"), "h4 e2 ");
}
END_TEST

START_TEST(payloads)
{
	found("pipes-data.img",
	      bytes(MAGIC "\x04\0\0\0\x08\x01\x10\x03"
			  "abc"
			  "\x04\0\0\0\x08\x01\x10\x00"
			  "\x04\0\0\0\x08\x01\x10\x01"
			  "d"),
	      "h8 e4 +3 p3 e4 e4 +1 p1 ");
	found("sk-queues.img",
	      bytes(MAGIC "\x04\0\0\0\x08\x01\x10\x02"
			  "ab"),
	      "h8 e4 +2 p2 ");
	found("tcp-stream-5f.img",
	      bytes(MAGIC "\x04\0\0\0\x08\x01\x18\x02"
			  "abc"),
	      "h8 e4 +3 p3 ");
	found("ghost-file-1.img",
	      bytes(MAGIC "\x02\0\0\0\x08\x01"
			  "all of it"),
	      "h8 e2 +-1 p9 ");
	found("ghost-file-1.img", bytes(MAGIC "\x02\0\0\0\x08\x01"), "h8 e2 +-1 ");
	found("ghost-file-1.img",
	      bytes(MAGIC "\x02\0\0\0\x48\x01"
			  "\x04\0\0\0\x08\x02\x10\x00"
			  "ab"
			  "\x04\0\0\0\x08\x01\x10\x09"
			  "c"),
	      "h8 e2 e4 +2 p2 e4 +1 p1 ");
}
END_TEST

static void refused(const char *name, const unsigned char *data, size_t size)
{
	struct cr_error err = {0};
	char text[512];

	for (size_t step = 1; step <= size; step++) {
		ck_assert_int_eq(walk(text, name, data, size, step, &err), -1);
		ck_assert_int_eq(err.errnum, EBADMSG);
	}
}

START_TEST(what_is_no_image)
{
	static const char image[] = MAGIC "\x04\0\0\0\x08\x01\x10\x03"
					  "abc";

	for (size_t i = 1; i < sizeof(image) - 1; i++) {
		if (i != 8)
			refused("pipes-data.img", (const unsigned char *)image, i);
	}
	refused("files.img", bytes("\x16\x31\x31\x58\x02\0\0\0\x08\x01"));
	refused("files.img", bytes(MAGIC "\xff\xff\xff\x7f"));
	refused("files.img", bytes(MAGIC "\x01\0\0\x04."));
	/* no message, where one has to look into it */
	refused("pipes-data.img", bytes(MAGIC "\x02\0\0\0\x10\x80"));
	refused("pipes-data.img", bytes(MAGIC "\x02\0\0\0\x13\x01"));
	refused("pipes-data.img", bytes(MAGIC "\x07\0\0\0\x10\xff\xff\xff\xff\xff\x01"));
}
END_TEST

/* Whatever it is: within its bytes. */
START_TEST(noise)
{
	static const char *const names[] = {"files.img", "pipes-data.img", "ghost-file-9.img", "inventory.img"};
	unsigned char data[256] = MAGIC;
	struct cr_error err = {0};
	char text[512];

	srandom(7);
	for (int round = 0; round < 20000; round++) {
		size_t n = 8 + (size_t)random() % 24;

		for (size_t i = 8; i < n; i++)
			data[i] = random() % 3 ? (unsigned char)(random() % 8) : (unsigned char)random();
		(void)walk(text, names[round % 4], data, n, 1 + (size_t)random() % n, &err);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{entries, false},
		{payloads, false},
		{what_is_no_image, false},
		{noise, false},
	};

	return unit_main("criuimg", tests, sizeof(tests) / sizeof(tests[0]));
}
