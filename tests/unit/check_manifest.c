/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"
#include "../../libcrcore/manifest.h"

#define ABC "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"

static const char *fixture(int format)
{
	static char path[PATH_MAX];
	const char *srcdir = getenv("srcdir");

	(void)snprintf(path, sizeof(path), "%s/tests/unit/fixtures/manifest-%d.json", srcdir ? srcdir : ".",
		       format);
	return path;
}

static char *golden_of(int format, size_t *size)
{
	struct cr_error err = {0};
	char *text = NULL;

	unit_assert_ok(cr_fs_read(fixture(format), 1 << 20, &text, size, &err), &err);
	return text;
}

static char *golden(size_t *size)
{
	return golden_of(1, size);
}

static bool cleared(const struct cr_manifest *m)
{
	static const struct cr_manifest zero;

	return memcmp(m, &zero, sizeof(zero)) == 0;
}

START_TEST(golden_round_trip)
{
	cleanup_free char *text = NULL;
	cleanup_free char *again = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	size_t size = 0;

	memset(&m, 0xff, sizeof(m));
	text = golden(&size);
	unit_assert_ok(cr_manifest_decode(&m, text, size, &err), &err);
	ck_assert_uint_eq(m.format, 1);
	ck_assert_uint_eq(m.n_packs, 0);
	ck_assert_uint_eq(m.job, 4711);
	ck_assert_str_eq(m.part, "batch.0");
	ck_assert_str_eq(m.node, "n1");
	ck_assert_str_eq(m.user, "alice");
	ck_assert_uint_eq(m.uid, 1001);
	ck_assert_uint_eq(m.restart, 2);
	ck_assert_uint_eq(m.run, 1);
	ck_assert_uint_eq(m.generation, 7);
	ck_assert_str_eq(m.reason, "interval");
	ck_assert_str_eq(m.time, "2026-03-01T12:34:56.789Z");
	ck_assert_str_eq(m.cpu_model, "Example CPU \"8\" @ 2.00GHz");
	ck_assert_str_eq(m.script, "/var/spool/slurmd/job04711/slurm_script");
	ck_assert_uint_eq(m.script_pos, 211);
	ck_assert_int_eq(m.monotonic_ns, 123456789012345);
	ck_assert_uint_eq(m.image_bytes, 5368709120);
	ck_assert_uint_eq(m.n_files, 2);
	ck_assert_str_eq(m.files[0].path, "images/core-2.img");
	ck_assert_uint_eq(m.files[0].size, 1024);
	ck_assert_str_eq(m.files[0].hash, ABC);
	ck_assert_uint_eq(m.n_outputs, 2);
	ck_assert_uint_eq(m.outputs[0].mode, 0640);
	ck_assert_ptr_null(m.outputs[0].saved);
	ck_assert_str_eq(m.outputs[1].path, "/home/alice/j\xe4nner");
	ck_assert_uint_eq(m.outputs[1].ino, 0x8000000000000001);
	ck_assert_str_eq(m.outputs[1].saved, "outputs/0");
	unit_assert_ok(cr_manifest_encode(&m, &again, &err), &err);
	ck_assert_str_eq(again, text);
	cr_manifest_clear(&m);
	ck_assert(cleared(&m));
	cr_manifest_clear(&m);
}
END_TEST

START_TEST(golden_round_trip_2)
{
	cleanup_free char *text = NULL;
	cleanup_free char *again = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	size_t size = 0;

	memset(&m, 0xff, sizeof(m));
	text = golden_of(2, &size);
	unit_assert_ok(cr_manifest_decode(&m, text, size, &err), &err);
	ck_assert_uint_eq(m.format, 2);
	ck_assert_uint_eq(m.n_files, 1);
	ck_assert_str_eq(m.files[0].path, "index");
	ck_assert_uint_eq(m.n_packs, 2);
	ck_assert_uint_eq(m.packs[0].generation, 7);
	ck_assert_uint_eq(m.packs[1].generation, 3);
	ck_assert_uint_eq(m.packs[1].size, 1288490188);
	ck_assert_uint_eq(m.packs[1].raw, 5368709120);
	ck_assert_uint_eq(m.packs[1].used, 3758096384);
	ck_assert_str_eq(m.outputs[1].saved, "files/stdout");
	unit_assert_ok(cr_manifest_encode(&m, &again, &err), &err);
	ck_assert_str_eq(again, text);
	cr_manifest_clear(&m);
	ck_assert(cleared(&m));
}
END_TEST

START_TEST(golden_round_trip_3)
{
	cleanup_free char *text = NULL;
	cleanup_free char *again = NULL;
	cleanup_free char *unnamed = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	size_t size = 0;

	memset(&m, 0xff, sizeof(m));
	text = golden_of(3, &size);
	unit_assert_ok(cr_manifest_decode(&m, text, size, &err), &err);
	ck_assert_uint_eq(m.format, 3);
	ck_assert_uint_eq(m.xsave_bytes, 2696);
	ck_assert_int_eq(m.ran_ms, 7384000);
	ck_assert_str_eq(m.glibc, "2.41");
	ck_assert_str_eq(m.net, "private");
	ck_assert_str_eq(m.groups, "1001,2000");
	ck_assert_uint_eq(m.n_outputs, 2);
	ck_assert_int_eq(m.outputs[0].mtime_ns, 1772368496123456789);
	ck_assert_uint_eq(m.outputs[0].offset, 52114);
	ck_assert_uint_eq(m.outputs[0].flags, 0102001);
	ck_assert_uint_eq(m.outputs[0].mapped, 0);
	ck_assert_uint_eq(m.outputs[1].mapped, 1);
	ck_assert_uint_eq(m.outputs[0].uid, 1001);
	ck_assert_uint_eq(m.outputs[1].links, 2);
	ck_assert_uint_eq(m.n_binaries, 2);
	ck_assert_str_eq(m.binaries[0].path, "/usr/bin/lmp");
	ck_assert_uint_eq(m.binaries[0].size, 68112);
	ck_assert_int_eq(m.binaries[1].mtime_ns, 1772300000000000001);
	ck_assert_str_eq(m.binaries[0].build_id, "5c1c9d2f0a6fe25ff65ed1b3d0ad5f9f2c9d3f11");
	ck_assert_str_eq(m.binaries[1].build_id, "");
	ck_assert_uint_eq(m.n_rollbacks, 1);
	ck_assert_str_eq(m.rollbacks[0].path, "/home/alice/db");
	ck_assert_str_eq(m.rollbacks[0].stream, "rollback/0");
	unit_assert_ok(cr_manifest_encode(&m, &again, &err), &err);
	ck_assert_str_eq(again, text);
	/* the newest format is what is written when none is named */
	m.format = 0;
	unit_assert_ok(cr_manifest_encode(&m, &unnamed, &err), &err);
	ck_assert_str_eq(unnamed, text);
	cr_manifest_clear(&m);
	ck_assert(cleared(&m));
}
END_TEST

/* An edit that makes a manifest bad, and part of what is said of it. */
struct edit {
	const char *old, *new;
	int errnum;
	const char *part;
};

/* text with the first old replaced */
static char *edited(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	char *result;

	ck_assert_msg(at != NULL, "the fixture has no %s", old);
	ck_assert_int_ge(asprintf(&result, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)), 0);
	return result;
}

static void assert_refused(const char *text, size_t size, int errnum, const char *part)
{
	struct cr_error err = {0};
	struct cr_manifest m;

	memset(&m, 0xff, sizeof(m));
	ck_assert_msg(cr_manifest_decode(&m, text, size, &err) == -1, "taken, though %s", part);
	unit_assert_error(&err, errnum, part);
	ck_assert(cleared(&m));
}

/* Each edit of the format's golden file is refused for its reason. */
static void edits_refused(int format, const struct edit *cases, size_t n)
{
	cleanup_free char *text = NULL;
	size_t size;

	text = golden_of(format, &size);
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *bad = edited(text, cases[i].old, cases[i].new);

		assert_refused(bad, strlen(bad), cases[i].errnum, cases[i].part);
	}
}

START_TEST(every_edit_is_refused)
{
	static const struct edit cases[] = {
		{"\"format\": 1", "\"format\": 4", EPROTONOSUPPORT, "format 4 is newer than 3"},
		{"\"format\": 1", "\"format\": 2", EINVAL, "\"packs\" is missing"},
		{"\"format\": 1", "\"format\": 0", ERANGE, "\"format\""},
		{"\"format\": 1", "\"format\": -1", ERANGE, "\"format\""},
		{"\"format\": 1", "\"format\": \"1\"", EINVAL, "\"format\" is no integer"},
		{"\"format\": 1", "\"format\": 1.0", EINVAL, "\"format\" is no integer"},
		{"\"format\": 1,", "", EINVAL, "\"format\" is missing"},
		{"\"format\": 1", "\"format\": 99999999999999999999", EBADMSG, "too big"},
		{"\"job\": 4711", "\"job\": 0", ERANGE, "\"job\""},
		{"\"job\": 4711", "\"job\": 4294967296", ERANGE, "\"job\""},
		{"\"job\": 4711", "\"job\": -1", ERANGE, "\"job\""},
		{"\"job\": 4711", "\"job\": true", EINVAL, "\"job\""},
		{"\"job\": 4711", "\"job\": null", EINVAL, "\"job\""},
		{"\"job\": 4711", "\"job\": 4711, \"job\": 4712", EBADMSG, "duplicate"},
		{"\"job\"", "\"Job\"", EINVAL, "\"job\" is missing"},
		{"\"batch.0\"", "\"../batch.0\"", EINVAL, "\"part\""},
		{"\"batch.0\"", "\"..\"", EINVAL, "\"part\""},
		{"\"batch.0\"", "\"a b\"", EINVAL, "\"part\""},
		{"\"batch.0\"", "\"\"", EINVAL, "\"part\""},
		{"\"n1\"", "\"\"", EINVAL, "\"node\""},
		{"\"n1\"", "7", EINVAL, "\"node\" is no text"},
		{"\"n1\"", "null", EINVAL, "\"node\" is no text"},
		{"\"n1\"", "\"n\\u0000\"", EBADMSG, "NUL"},
		{"\"n1\"", "\"\xff\"", EBADMSG, "unable to decode"},
		{"\"uid\": 1001", "\"uid\": -1", ERANGE, "\"uid\""},
		{"\"run\": 1", "\"run\": 0", ERANGE, "\"run\""},
		{"\"generation\": 7", "\"generation\": 0", ERANGE, "\"generation\""},
		{"\"committed\"", "\"draining\"", EINVAL, "\"state\""},
		{"\"committed\"", "1", EINVAL, "\"state\""},
		{"\"interval\"", "\"\"", EINVAL, "\"reason\""},
		{"\"interval\"", "\"Rm -rf\"", EINVAL, "\"reason\""},
		{"\"interval\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", EINVAL, "\"reason\""},
		{"2026-03-01T12", "2026-13-01T12", EINVAL, "\"time\""},
		{"2026-03-01T12", "2026-03-01 12", EINVAL, "\"time\""},
		{"2026-03-01T12", "2026-03-01T25", EINVAL, "\"time\""},
		{"56.789Z", "56.789", EINVAL, "\"time\""},
		{"56.789Z", "56.789+01:00", EINVAL, "\"time\""},
		{"56.789Z", "56.Z", EINVAL, "\"time\""},
		{"56.789Z", "56.789Zx", EINVAL, "\"time\""},
		{"\"4.2.1\"", "[\"4.2.1\"]", EINVAL, "\"criu\""},
		{"\"/var/spool", "\"var/spool", EINVAL, "\"script\""},
		{"\"script\": \"/var/spool/slurmd/job04711/slurm_script\",", "", EINVAL, "\"script\" is missing"},
		{"123456789012345", "-1", ERANGE, "\"monotonic_ns\""},
		{"123456789012345", "1e3", EINVAL, "\"monotonic_ns\""},
		{"\"root_pid\": 2", "\"root_pid\": 0", ERANGE, "\"root_pid\""},
		{"\"tasks\": 3", "\"tasks\": 0", ERANGE, "\"tasks\""},
		{"5368709120", "-5368709120", ERANGE, "\"image_bytes\""},
		{"\"files\": [", "\"files\": [ 7,", EINVAL, "\"files\""},
		{"\"files\": [", "\"files\": [ {},", EINVAL, "\"path\" is missing"},
		{"\"files\": [", "\"filez\": [", EINVAL, "\"files\" is missing"},
		{"\"images/core-2.img\"", "\"/etc/passwd\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"../x\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"images/../../x\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"images/..\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"..\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\".\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"images//x\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"images/\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"images/./x\"", EINVAL, "leads out"},
		{"\"images/core-2.img\"", "\"outputs/0\"", EINVAL, "named twice"},
		{"\"path\": \"images/core-2.img\"", "\"path_hex\": \"2e2e\"", EINVAL, "leads out"},
		{"\"path\": \"images/core-2.img\"", "\"path_hex\": \"2e2\"", EINVAL, "hex digits"},
		{"\"path\": \"images/core-2.img\"", "\"path_hex\": \"2E\"", EINVAL, "hex digits"},
		{"\"path\": \"images/core-2.img\"", "\"path_hex\": \"6100\"", EINVAL, "hex digits"},
		{"\"path\": \"images/core-2.img\"", "\"path_hex\": 6100", EINVAL, "\"path_hex\""},
		{"\"path\": \"images/core-2.img\"", "\"path\": \"a\", \"path_hex\": \"61\"", EINVAL, "both"},
		{"\"path\": \"images/core-2.img\"", "\"path\": null", EINVAL, "\"path\""},
		{"\"size\": 1024", "\"size\": -1", ERANGE, "\"size\""},
		{"\"size\": 1024", "\"size\": \"1024\"", EINVAL, "\"size\""},
		{"bddd", "bdd", EINVAL, "hash"},
		{"bddd", "bdddd", EINVAL, "hash"},
		{"bddd", "BDDD", EINVAL, "hash"},
		{"bddd", "bddg", EINVAL, "hash"},
		{"\"outputs\": [", "\"outputs\": {}, \"x\": [", EINVAL, "\"outputs\""},
		{"\"/home/alice/slurm-4711.out\"", "\"slurm-4711.out\"", EINVAL, "not absolute"},
		{"\"/home/alice/slurm-4711.out\"", "\"\"", EINVAL, "not absolute"},
		{"\"mode\": 416", "\"mode\": 4096", ERANGE, "\"mode\""},
		{"\"saved\": null", "\"saved\": \"/etc/passwd\"", EINVAL, "leads out"},
		{"\"saved\": null", "\"saved\": \"../1\"", EINVAL, "leads out"},
		{"\"saved\": null", "\"saved\": \"outputs/1\"", EINVAL, "not among its files"},
		{"\"saved\": null", "\"saved\": 0", EINVAL, "\"saved\""},
	};

	edits_refused(1, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

START_TEST(every_edit_of_format_2_is_refused)
{
	static const struct edit cases[] = {
		{"\"packs\": [", "\"pax\": [", EINVAL, "\"packs\" is missing"},
		{"\"packs\": [", "\"packs\": null, \"x\": [", EINVAL, "\"packs\""},
		{"\"packs\": [", "\"packs\": {}, \"x\": [", EINVAL, "\"packs\""},
		{"\"packs\": [", "\"packs\": [ 7,", EINVAL, "\"packs\""},
		{"\"packs\": [", "\"packs\": [ {},", EINVAL, "\"generation\" is missing"},
		{"\"generation\": 3", "\"generation\": 0", ERANGE, "\"generation\""},
		{"\"generation\": 3", "\"generation\": -3", ERANGE, "\"generation\""},
		{"\"generation\": 3", "\"generation\": 4294967296", ERANGE, "\"generation\""},
		{"\"generation\": 3", "\"generation\": \"3\"", EINVAL, "\"generation\""},
		{"\"generation\": 3", "\"generation\": 7", EINVAL, "generation 7 is named twice"},
		{"\"generation\": 3", "\"generation\": 8", ERANGE,
		 "generation 8 cannot hold chunks of generation 7"},
		{"\"size\": 1288490188", "\"size\": -1", ERANGE, "\"size\""},
		{"\"raw\": 5368709120", "\"raw\": 1e9", EINVAL, "\"raw\""},
		{"\"raw\": 5368709120", "\"raw\": 3758096383", ERANGE, "\"used\""},
		{"\"used\": 3758096384", "\"used\": 5368709121", ERANGE, "\"used\""},
		{"\"used\": 3758096384", "\"used\": -1", ERANGE, "\"used\""},
		{"\"used\": 3758096384", "\"u\": 1", EINVAL, "\"used\" is missing"},
		{"\"files/stdout\"", "\"../stdout\"", EINVAL, "leads out"},
		{"\"files/stdout\"", "\"/stdout\"", EINVAL, "leads out"},
	};

	edits_refused(2, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

START_TEST(every_edit_of_format_3_is_refused)
{
	static const struct edit cases[] = {
		{"\"ran_ms\": 7384000,", "", EINVAL, "\"ran_ms\" is missing"},
		{"\"ran_ms\": 7384000", "\"ran_ms\": -1", ERANGE, "\"ran_ms\""},
		{"\"xsave_bytes\": 2696,", "", EINVAL, "\"xsave_bytes\" is missing"},
		{"\"xsave_bytes\": 2696", "\"xsave_bytes\": -1", ERANGE, "\"xsave_bytes\""},
		{"\"2.41\"", "241", EINVAL, "\"glibc\" is no text"},
		{"\"groups\": \"1001,2000\",", "", EINVAL, "\"groups\" is missing"},
		{"\"1001,2000\"", "[1001]", EINVAL, "\"groups\" is no text"},
		{"\"private\"", "\"other\"", EINVAL, "\"net\" is neither host nor private"},
		{"\"private\"", "\"\"", EINVAL, "\"net\" is missing or empty"},
		{"\"offset\": 52114", "\"offset\": -1", ERANGE, "\"offset\""},
		{"\"mtime_ns\": 1772368496123456789", "\"mtime_ns\": -1", ERANGE, "\"mtime_ns\""},
		{"\"flags\": 33793", "\"flags\": \"w\"", EINVAL, "\"flags\""},
		{"\"mapped\": 1", "\"mapped\": 2", ERANGE, "\"mapped\""},
		{"\"mapped\": 1", "\"mapped\": true", EINVAL, "\"mapped\""},
		{"\"links\": 2", "\"links\": -2", ERANGE, "\"links\""},
		{"\"uid\": 1001", "\"owner\": 1001", EINVAL, "\"uid\""},
		{"\"binaries\": [", "\"binaries\": {}, \"x\": [", EINVAL, "\"binaries\""},
		{"\"binaries\": [", "\"x\": [", EINVAL, "\"binaries\" is missing"},
		{"\"/usr/bin/lmp\"", "\"usr/bin/lmp\"", EINVAL, "not absolute"},
		{"\"5c1c", "\"5c1", EINVAL, "build id"},
		{"\"5c1c", "\"5C1C", EINVAL, "build id"},
		{"\"build_id\": \"\"", "\"build_id\": null", EINVAL, "\"build_id\" is no text"},
		{"\"rollbacks\": [", "\"rollbacks\": [ 1,", EINVAL, "\"rollbacks\""},
		{"\"/home/alice/db\"", "\"db\"", EINVAL, "not absolute"},
		{"\"rollback/0\"", "\"../0\"", EINVAL, "leads out"},
	};

	edits_refused(3, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

START_TEST(garbage)
{
	static const char *const cases[] = {"",
					    " ",
					    "\n",
					    "{",
					    "}",
					    "[]",
					    "null",
					    "7",
					    "\"x\"",
					    "{}",
					    "{\"format\":1}",
					    "{\"format\":1",
					    "MUNGE:x:",
					    "\xff\xfe",
					    "{}x"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct cr_manifest m;

		ck_assert_msg(cr_manifest_decode(&m, cases[i], strlen(cases[i]), &err) == -1, "%s", cases[i]);
		ck_assert_int_ne(err.errnum, 0);
		ck_assert(cleared(&m));
	}
	assert_refused("", (size_t)CR_MANIFEST_MAX + 1, EFBIG, "larger than");
	/* a newer format is told as such, whatever else has changed */
	assert_refused("{\"format\": 4}", 13, EPROTONOSUPPORT, "format 4 is newer than 3");
}
END_TEST

START_TEST(nested_garbage)
{
	static char deep[100000];

	memset(deep, '[', sizeof(deep));
	assert_refused(deep, sizeof(deep), EBADMSG, "manifest: line 1");
}
END_TEST

START_TEST(truncated)
{
	cleanup_free char *text = NULL;
	struct cr_manifest m;
	size_t size;

	text = golden_of(2, &size);
	for (size_t i = 0; i < size - 1; i++) {
		/* a copy of its own, for the sanitizers */
		cleanup_free char *part = malloc(i ? i : 1);

		ck_assert_ptr_nonnull(part);
		memcpy(part, text, i);
		ck_assert_msg(cr_manifest_decode(&m, part, i, NULL) == -1, "%zu bytes", i);
		ck_assert(cleared(&m));
	}
}
END_TEST

START_TEST(damaged_bytes)
{
	static const char bytes[] = {0, '0', '"', '\\', '}', (char)0xff};
	cleanup_free char *text = NULL;
	size_t size;

	text = golden_of(2, &size);
	for (size_t i = 0; i < size; i++) {
		char was = text[i];

		for (size_t b = 0; b < sizeof(bytes); b++) {
			cleanup_free char *again = NULL;
			struct cr_error err = {0};
			struct cr_manifest m;

			text[i] = bytes[b];
			if (cr_manifest_decode(&m, text, size, &err) < 0) {
				ck_assert(cleared(&m));
				continue;
			}
			/* what was taken can be written again */
			unit_assert_ok(cr_manifest_encode(&m, &again, &err), &err);
			cr_manifest_clear(&m);
		}
		text[i] = was;
	}
}
END_TEST

START_TEST(later_additions_are_ignored)
{
	cleanup_free char *text = NULL;
	cleanup_free char *more = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	size_t size;

	text = golden(&size);
	/* packs mean nothing to format 1 */
	more = edited(text, "\"job\": 4711", "\"job\": 4711, \"colour\": [\"red\"], \"packs\": 7");
	unit_assert_ok(cr_manifest_decode(&m, more, strlen(more), &err), &err);
	ck_assert_uint_eq(m.n_packs, 0);
	cr_manifest_clear(&m);
}
END_TEST

START_TEST(encode_refuses_what_decode_would)
{
	static const struct cr_manifest_pack pack = {.generation = 7, .size = 1, .raw = 2, .used = 2};
	cleanup_free char *text = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	char *out = NULL;
	size_t size;

	text = golden(&size);
	unit_assert_ok(cr_manifest_decode(&m, text, size, &err), &err);
#define REFUSED(member, value, part)                                                                              \
	do {                                                                                                      \
		__typeof__(m.member) was = m.member;                                                              \
                                                                                                                  \
		m.member = value;                                                                                 \
		ck_assert_int_eq(cr_manifest_encode(&m, &out, &err), -1);                                         \
		unit_assert_error(&err, err.errnum, part);                                                        \
		ck_assert_ptr_null(out);                                                                          \
		m.member = was;                                                                                   \
	} while (0)
	REFUSED(job, 0, "\"job\"");
	REFUSED(node, NULL, "\"node\"");
	REFUSED(kernel, NULL, "\"kernel\"");
	REFUSED(part, (char *)"a/b", "\"part\"");
	REFUSED(time, (char *)"now", "\"time\"");
	REFUSED(freeze_ms, -1, "\"freeze_ms\"");
	REFUSED(image_bytes, UINT64_MAX, "\"image_bytes\"");
	REFUSED(files[0].path, (char *)"../x", "leads out");
	REFUSED(files[0].size, UINT64_MAX, "size of file");
	REFUSED(outputs[0].path, (char *)"x", "not absolute");
	REFUSED(outputs[0].size, UINT64_MAX, "size of output");
	REFUSED(outputs[0].mode, 010000, "mode of output");
	REFUSED(outputs[1].saved, (char *)"nowhere", "not among");
	REFUSED(format, 4, "\"format\"");
	unit_assert_ok(cr_manifest_add_pack(&m, &pack, &err), &err);
	REFUSED(format, 1, "format 1 has no packs");
	m.format = 2;
	REFUSED(packs[0].generation, 0, "cannot hold chunks");
	REFUSED(packs[0].generation, 8, "cannot hold chunks");
	REFUSED(packs[0].size, UINT64_MAX, "sizes of the pack");
	REFUSED(packs[0].raw, UINT64_MAX, "sizes of the pack");
	REFUSED(packs[0].used, 3, "sizes of the pack");
	unit_assert_ok(cr_manifest_add_pack(&m, &pack, &err), &err);
	REFUSED(format, 2, "named twice");
	m.n_packs = 0;
	m.format = 1;
#undef REFUSED
	unit_assert_ok(cr_manifest_encode(&m, &out, &err), &err);
	ck_assert_str_eq(out, text);
	free(out);
	cr_manifest_clear(&m);
}
END_TEST

START_TEST(texts_that_are_no_utf8)
{
	cleanup_free char *text = NULL;
	cleanup_free char *out = NULL;
	struct cr_error err = {0};
	struct cr_manifest m, back;
	size_t size;

	text = golden(&size);
	unit_assert_ok(cr_manifest_decode(&m, text, size, &err), &err);
	free(m.command);
	m.command = strdup("./r\xe4t\n");
	free(m.script);
	m.script = strdup("/x/\xff\xfe");
	unit_assert_ok(cr_manifest_encode(&m, &out, &err), &err);
	unit_assert_ok(cr_manifest_decode(&back, out, strlen(out), &err), &err);
	ck_assert_str_eq(back.command, "./r?t\n");
	ck_assert_str_eq(back.script, "/x/\xff\xfe");
	cr_manifest_clear(&m);
	cr_manifest_clear(&back);
}
END_TEST

START_TEST(adding)
{
	struct cr_manifest_output output = {.path = (char *)"/o", .size = 5, .saved = (char *)"s"};
	struct cr_manifest m = {0};
	struct cr_error err = {0};
	char name[32];

	ck_assert_int_eq(cr_manifest_add_file(&m, "f", 1, "abc", &err), -1);
	unit_assert_error(&err, EINVAL, "64 hex digits");
	ck_assert_int_eq(cr_manifest_add_file(&m, "f", 1, NULL, &err), -1);
	ck_assert_int_eq(cr_manifest_add_file(&m, NULL, 1, ABC, &err), -1);
	ck_assert_int_eq(cr_manifest_add_output(&m, &(struct cr_manifest_output){0}, &err), -1);
	ck_assert(cleared(&m));
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		unit_assert_ok(cr_manifest_add_file(&m, name, (uint64_t)i, ABC, &err), &err);
		unit_assert_ok(cr_manifest_add_output(&m, &output, &err), &err);
		unit_assert_ok(cr_manifest_add_pack(&m, &(struct cr_manifest_pack){.size = (uint64_t)i}, &err),
			       &err);
	}
	ck_assert_uint_eq(m.n_packs, 100);
	ck_assert_uint_eq(m.packs[99].size, 99);
	ck_assert_uint_eq(m.n_files, 100);
	ck_assert_str_eq(m.files[99].path, "f99");
	ck_assert_ptr_ne(m.outputs[99].path, output.path);
	ck_assert_str_eq(m.outputs[99].saved, "s");
	cr_manifest_clear(&m);
	ck_assert(cleared(&m));
}
END_TEST

static void make_generation(void)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_fs_mkdirs(unit_path("g/images"), 0700, &err), &err);
	unit_assert_ok(cr_fs_mkdirs(unit_path("g/empty"), 0700, &err), &err);
	unit_write("g/images/b", "abc");
	unit_write("g/images/a", "");
	unit_write("g/images/manifest.json", "abc");
	unit_write("g/manifest.json", "x");
	unit_write("g/manifest.seal", "x");
	unit_write("g/pack", "on its way elsewhere");
	ck_assert_int_eq(symlink("/etc/passwd", unit_path("g/link")), 0);
	ck_assert_int_eq(mkfifo(unit_path("g/fifo"), 0600), 0);
}

START_TEST(hash_dir)
{
	struct cr_manifest m = {0};
	struct cr_error err = {0};
	char named[] = "0000000000000000000000000000000000000000000000000000000000000000";

	make_generation();
	unit_assert_ok(cr_manifest_hash_dir(&m, unit_path("g"), &err), &err);
	ck_assert_uint_eq(m.n_files, 3);
	ck_assert_str_eq(m.files[0].path, "images/a");
	ck_assert_str_eq(m.files[1].path, "images/b");
	ck_assert_str_eq(m.files[2].path, "images/manifest.json");
	ck_assert_str_eq(m.files[1].hash, ABC);
	ck_assert_uint_eq(m.files[1].size, 3);
	unit_assert_ok(cr_manifest_verify(&m, unit_path("g"), &err), &err);
	cr_manifest_clear(&m);
	/* one hashed before is believed */
	unit_assert_ok(cr_manifest_add_file(&m, "images/b", 9, named, &err), &err);
	unit_assert_ok(cr_manifest_hash_dir(&m, unit_path("g"), &err), &err);
	ck_assert_uint_eq(m.n_files, 3);
	ck_assert_str_eq(m.files[1].path, "images/b");
	ck_assert_str_eq(m.files[1].hash, named);
	cr_manifest_clear(&m);
	ck_assert_int_eq(cr_manifest_hash_dir(&m, unit_path("none"), &err), -1);
	unit_assert_error(&err, ENOENT, "none");
	cr_manifest_clear(&m);
}
END_TEST

START_TEST(verify)
{
	struct cr_manifest m = {0};
	struct cr_error err = {0};

	make_generation();
	unit_assert_ok(cr_manifest_hash_dir(&m, unit_path("g"), &err), &err);
	unit_write("g/images/b", "abd");
	ck_assert_int_eq(cr_manifest_verify(&m, unit_path("g"), &err), -1);
	unit_assert_error(&err, EBADMSG, "images/b is damaged");
	unit_write("g/images/b", "ab");
	ck_assert_int_eq(cr_manifest_verify(&m, unit_path("g"), &err), -1);
	unit_assert_error(&err, EBADMSG, "images/b has 2 bytes, its manifest says 3");
	ck_assert_int_eq(unlink(unit_path("g/images/b")), 0);
	ck_assert_int_eq(cr_manifest_verify(&m, unit_path("g"), &err), -1);
	unit_assert_error(&err, ENOENT, "images/b");
	/* a link to the right content is not the file */
	unit_write("elsewhere", "abc");
	ck_assert_int_eq(symlink("../../elsewhere", unit_path("g/images/b")), 0);
	ck_assert_int_eq(cr_manifest_verify(&m, unit_path("g"), &err), -1);
	unit_assert_error(&err, EBADMSG, "not a regular file");
	ck_assert_int_eq(unlink(unit_path("g/images/b")), 0);
	unit_write("g/images/b", "abc");
	unit_assert_ok(cr_manifest_verify(&m, unit_path("g"), &err), &err);
	cr_manifest_clear(&m);
}
END_TEST

START_TEST(read_from_directory)
{
	cleanup_free char *text = NULL;
	struct cr_error err = {0};
	struct cr_manifest m;
	size_t size;

	ck_assert_int_eq(cr_manifest_read(&m, unit_dir, &err), -1);
	unit_assert_error(&err, ENOENT, "manifest.json");
	ck_assert(cleared(&m));
	unit_write("manifest.json", "{\"format\": 1");
	ck_assert_int_eq(cr_manifest_read(&m, unit_dir, &err), -1);
	unit_assert_error(&err, EBADMSG, unit_path("manifest.json"));
	text = golden(&size);
	unit_write("manifest.json", text);
	unit_assert_ok(cr_manifest_read(&m, unit_dir, &err), &err);
	ck_assert_uint_eq(m.generation, 7);
	cr_manifest_clear(&m);
	ck_assert_int_eq(rename(unit_path("manifest.json"), unit_path("x")), 0);
	ck_assert_int_eq(symlink("x", unit_path("manifest.json")), 0);
	ck_assert_int_eq(cr_manifest_read(&m, unit_dir, &err), -1);
	unit_assert_error(&err, ELOOP, "manifest.json");
}
END_TEST

START_TEST(part_names)
{
	static const char *const good[] = {"batch.0", "0.1", "extern.12", "a_b-c", "x"};
	static const char *const bad[] = {"", ".", "..", ".x", "a/b", "/", "a b", "a\n", "\xc3\xa4", "a%u", "a:b"};
	char text[66] = {0};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(cr_manifest_part_ok(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!cr_manifest_part_ok(bad[i]), "%s", bad[i]);
	ck_assert(!cr_manifest_part_ok(NULL));
	memset(text, 'x', 64);
	ck_assert(cr_manifest_part_ok(text));
	text[64] = 'x';
	ck_assert(!cr_manifest_part_ok(text));
}
END_TEST

UNIT_MAIN("manifest", {golden_round_trip, false}, {golden_round_trip_2, false}, {golden_round_trip_3, false},
	  {every_edit_is_refused, false}, {every_edit_of_format_2_is_refused, false},
	  {every_edit_of_format_3_is_refused, false}, {garbage, false}, {nested_garbage, false},
	  {truncated, false}, {damaged_bytes, false}, {later_additions_are_ignored, false},
	  {encode_refuses_what_decode_would, false}, {texts_that_are_no_utf8, false}, {adding, false},
	  {hash_dir, true}, {verify, true}, {read_from_directory, true}, {part_names, false})
