/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/criuedit.h"
#include "proto/files.pb-c.h"

#define MAGIC "\x19\x43\x56\x54\x38\x31\x30\x56"

/* Three files, with fields that ours does not name: fown in reg (5), one of a later version behind it (99). */
#define FILE_A                                                                                                    \
	"\x19\0\0\0\x08\x01\x10\x09\x1a\x10\x08\x09\x2a\x02\x08\x00\x32\x02/"                                     \
	"a\x38\x05\x50\xa4\x83\x02\x98\x06\x01"
#define PIPE_B "\x09\0\0\0\x08\x02\x10\x0a\x8a\x01\x02\x08\x00"
#define FILE_C "\x0c\0\0\0\x08\x01\x10\x0b\x1a\x06\x08\x0b\x32\x02/c"

#define bytes(text) text, sizeof(text) - 1

struct memory {
	const char *data;
	size_t left, step;
};

static int memory_next(void *source, const void **data, size_t *size, struct cr_error *err)
{
	struct memory *m = source;

	(void)err;
	*data = m->data;
	*size = m->step < m->left ? m->step : m->left;
	m->data += *size;
	m->left -= *size;
	return *size > 0;
}

/* All of an image through the edits; how long it has become, or -1. */
static ssize_t edited(char out[1024], const char *name, const struct cr_criuedit *edits, const char *data,
		      size_t size, size_t step, struct cr_error *err)
{
	struct memory m = {data, size, step};
	struct cr_criuedit_run *run;
	const void *piece;
	size_t n, sum = 0;
	int rc;

	unit_assert_ok(cr_criuedit_open(&run, name, edits, NULL, memory_next, &m, err), err);
	ck_assert_ptr_nonnull(run);
	while ((rc = cr_criuedit_next(run, &piece, &n, err)) > 0) {
		ck_assert_uint_le(n, 1024 - sum);
		memcpy(out + sum, piece, n);
		sum += n;
	}
	cr_criuedit_close(run);
	return rc < 0 ? -1 : (ssize_t)sum;
}

static void becomes(const char *name, const struct cr_criuedit *edits, const char *data, size_t size,
		    const char *want, size_t wanted)
{
	struct cr_error err = {0};
	char out[1024];

	for (size_t step = 1; step <= size; step++) {
		ssize_t n = edited(out, name, edits, data, size, step, &err);

		ck_assert_msg(n >= 0, "%s", err.text);
		ck_assert_int_eq(n, (ssize_t)wanted);
		ck_assert_int_eq(memcmp(out, want, wanted), 0);
	}
}

static int keep(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	(void)message;
	(void)at;
	(void)err;
	return CR_CRIUEDIT_KEEP;
}

static int change(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__FileEntry *file = (Criu__FileEntry *)message;

	ck_assert_str_eq(at->name, "files.img");
	if (!file->reg || strcmp(file->reg->name, "/a") != 0)
		return CR_CRIUEDIT_KEEP;
	ck_assert_uint_eq(at->number, 0);
	file->reg->has_mode = false;
	return cr_criuedit_text(&file->reg->name, "/longer", err) < 0 ? -1 : CR_CRIUEDIT_CHANGED;
}

/* Sees what the one before it has made of the entry. */
static int drop_c(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__FileEntry *file = (const Criu__FileEntry *)message;

	(void)at;
	(void)err;
	if (file->id == 9)
		ck_assert_str_eq(file->reg->name, "/longer");
	return file->id == 11 ? CR_CRIUEDIT_DROP : CR_CRIUEDIT_KEEP;
}

static int add_d(struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__FileEntry file = CRIU__FILE_ENTRY__INIT;

	ck_assert_uint_eq(at->number, 3);
	file.has_id = true;
	file.id = 12;
	return cr_criuedit_add(at, &file.base, NULL, 0, err);
}

START_TEST(nothing_changes)
{
	const struct cr_criuedit edits[] = {{"files.img", &criu__file_entry__descriptor, keep, NULL, NULL, false},
					    {0}};

	becomes("files.img", edits, bytes(MAGIC FILE_A PIPE_B FILE_C), bytes(MAGIC FILE_A PIPE_B FILE_C));
	becomes("files.img", edits, bytes(MAGIC), bytes(MAGIC));
}
END_TEST

START_TEST(changes)
{
	const struct cr_criuedit edits[] = {
		{"core-*.img", &criu__file_entry__descriptor, keep, NULL, NULL, false},
		{"files.img", &criu__file_entry__descriptor, change, NULL, NULL, false},
		{"files.img", &criu__file_entry__descriptor, drop_c, add_d, NULL, false},
		{0},
	};

	/* what was not named comes last */
	becomes("files.img", edits, bytes(MAGIC FILE_A PIPE_B FILE_C),
		bytes(MAGIC "\x1a\0\0\0\x08\x01\x10\x09\x1a\x11\x08\x09\x32\x07/"
			    "longer\x38\x05\x2a\x02\x08\x00\x98\x06\x01" PIPE_B "\x02\0\0\0\x10\x0c"));
}
END_TEST

static int replace(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__FileEntry *file = (Criu__FileEntry *)message; /* field 2 is a length in this image */

	if (file->type == 7)
		return CR_CRIUEDIT_DROP;
	ck_assert_uint_eq(at->payload_size, file->id);
	if (file->id != 3)
		return CR_CRIUEDIT_KEEP;
	ck_assert_int_eq(memcmp(at->payload, "abc", 3), 0);
	file->id = 1;
	return cr_criuedit_payload(at, "x", 1, err) < 0 ? -1 : CR_CRIUEDIT_CHANGED;
}

#define PACKETS(id, n, text) "\x04\0\0\0\x08" id "\x10" n text

START_TEST(payloads)
{
	struct cr_criuedit edits[] = {{"sk-queues.img", &criu__file_entry__descriptor, replace, NULL, NULL, true},
				      {0}};
	static const char image[] = MAGIC PACKETS("\x01", "\x03", "abc") PACKETS("\x07", "\x02", "de")
		PACKETS("\x02", "\x00", "") PACKETS("\x03", "\x02", "fg");

	becomes("sk-queues.img", edits, bytes(image),
		bytes(MAGIC PACKETS("\x01", "\x01", "x") PACKETS("\x02", "\x00", "")
			      PACKETS("\x03", "\x02", "fg")));
	/* dropped without having been in memory */
	edits[0].entry = drop_c;
	edits[0].payload = false;
	becomes("sk-queues.img", edits,
		bytes(MAGIC PACKETS("\x01", "\x0b", "hello world") PACKETS("\x02", "\x01", "a")),
		bytes(MAGIC PACKETS("\x02", "\x01", "a")));
}
END_TEST

static bool never(void *arg)
{
	(void)arg;
	return false;
}

START_TEST(not_meant)
{
	const struct cr_criuedit edits[] = {{"core-*.img", &criu__file_entry__descriptor, keep, NULL, NULL, false},
					    {"files.img", &criu__file_entry__descriptor, keep, NULL, never, false},
					    {0}};
	struct cr_criuedit_run *run;
	struct cr_error err = {0};

	unit_assert_ok(cr_criuedit_open(&run, "files.img", edits, NULL, memory_next, NULL, &err), &err);
	ck_assert_ptr_null(run);
}
END_TEST

START_TEST(what_is_no_image)
{
	const struct cr_criuedit edits[] = {{"files.img", &criu__file_entry__descriptor, keep, NULL, NULL, false},
					    {0}};
	static const char image[] = MAGIC FILE_A;
	struct cr_error err = {0};
	struct memory m = {bytes(MAGIC FILE_A), 5};
	char out[1024];

	for (size_t i = 0; i < sizeof(image) - 1; i++) {
		if (i != 8)
			ck_assert_int_eq(edited(out, "files.img", edits, image, i, 3, &err), -1);
	}
	ck_assert_int_eq(edited(out, "files.img", edits, bytes(MAGIC "\x02\0\0\0\x1a\x05"), 3, &err), -1);
	unit_assert_error(&err, EBADMSG, "files.img");
	unit_assert_ok(cr_criuedit_read("files.img", edits, NULL, memory_next, &m, &err), &err);
	ck_assert_uint_eq(m.left, 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{nothing_changes, false}, {changes, false},	     {payloads, false},
		{not_meant, false},	  {what_is_no_image, false},
	};

	return unit_main("criuedit", tests, sizeof(tests) / sizeof(tests[0]));
}
