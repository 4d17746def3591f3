/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "engine.h"

#include <signal.h>
#include <sys/resource.h>

#include "../../libcrcore/drain.h"

#define PAGES(n)	((size_t)(n) * CR_CHUNK)
#define NOISE(n, bytes) {.name = (n), .data = engine_noise(bytes), .size = (bytes)}
#define TEXT(n, bytes)	{.name = (n), .data = engine_text(bytes), .size = (bytes)}
#define N(array)	(sizeof(array) / sizeof((array)[0]))

/* Contents of all kinds. */
#define KINDS                                                                                                     \
	{{.name = "empty", .data = engine_zero(0)},                                                               \
	 {.name = "zeroes", .data = engine_zero(PAGES(700) + 5), .size = PAGES(700) + 5},                         \
	 TEXT("images/1", 1),                                                                                     \
	 TEXT("images/4095", 4095),                                                                               \
	 TEXT("images/4096", 4096),                                                                               \
	 TEXT("images/4097", 4097),                                                                               \
	 NOISE("images/pages-1.img", PAGES(500)),                                                                 \
	 TEXT("images/pages-2.img", PAGES(600) + 1000),                                                           \
	 NOISE("last", 12345)}

/* Now zeroes, now repeated, now of its own. */
static void mix(unsigned char *data, size_t size)
{
	for (size_t at = 0; at + CR_CHUNK <= size; at += CR_CHUNK) {
		switch (engine_random() % 4) {
		case 0:
			memset(data + at, 0, CR_CHUNK);
			break;
		case 1:
			memset(data + at, (int)(engine_random() % 5 + 1), CR_CHUNK);
			break;
		default:
			break;
		}
	}
}

START_TEST(every_kind)
{
	struct content c[] = KINDS;
	struct making m = {.generation = 1};

	engine_open();
	mix(c[7].data, c[7].size);
	engine_round(&m, c, N(c));
	ck_assert_str_eq(m.remark, "");
	ck_assert_uint_ge(m.result.zero, 701);
	ck_assert_uint_gt(m.result.known, 100); /* mix */
	ck_assert_uint_gt(m.result.chunks, 1800);
	ck_assert_uint_lt(m.result.pack_bytes, m.result.image_bytes);
	engine_free(c, N(c));
}
END_TEST

START_TEST(levels_and_threads)
{
	static const struct {
		int level;
		unsigned threads;
	} how[] = {{-1, 1}, {-1, 4}, {1, 4}, {19, 1}, {19, 4}, {3, 2}};
	struct content c[] = KINDS;
	uint64_t bytes[N(how)];

	engine_open();
	for (size_t i = 0; i < N(how); i++) {
		struct making m = {
			.generation = (uint32_t)i + 1, .level = how[i].level, .threads = how[i].threads};

		engine_round(&m, c, N(c));
		bytes[i] = m.result.pack_bytes;
	}
	ck_assert_uint_gt(bytes[0], bytes[2]);
	ck_assert_uint_gt(bytes[1], bytes[4]);
	engine_free(c, N(c));
}
END_TEST

/* Pieces of any size give the same chunks. */
START_TEST(pieces)
{
	static const size_t sizes[] = {1, 13, 4095, 4096, 4097, 8191, 65536, 1 << 20};
	struct content c[] = {TEXT("a", 30000), NOISE("b", 20001), TEXT("c", 5)};
	uint64_t chunks = 0;

	engine_open();
	for (size_t i = 0; i < N(sizes); i++) {
		struct making m = {.generation = (uint32_t)i + 1, .piece = sizes[i]};

		engine_round(&m, c, N(c));
		ck_assert(i == 0 || m.result.chunks == chunks);
		chunks = m.result.chunks;
	}
	engine_free(c, N(c));
}
END_TEST

/* A pool much smaller than what comes, and a table of chunks that forgets. */
START_TEST(tiny_pool)
{
	struct content c[] = {NOISE("a", PAGES(4000)), TEXT("b", PAGES(4000)), TEXT("c", 777)};

	engine_open();
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		struct making m = {.generation = threads,
				   .pool = 1,
				   .tables = 1,
				   .threads = threads,
				   .unexpected = threads > 1};

		engine_round(&m, c, N(c));
		ck_assert_uint_ge(m.result.chunks, 8000);
	}
	engine_free(c, N(c));
}
END_TEST

START_TEST(many_streams)
{
	struct content *c = calloc(500, sizeof(*c));
	struct making m = {.generation = 1, .threads = 2}, again = {.generation = 2, .past = 1};

	ck_assert_ptr_nonnull(c);
	engine_open();
	for (size_t i = 0; i < 500; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "images/core-%zu.img", i);
		c[i] = (struct content){.name = strdup(name), .size = i * 97};
		c[i].data = i % 3 ? engine_text(c[i].size) : engine_noise(c[i].size);
	}
	engine_round(&m, c, 500);
	engine_round(&again, c, 500);
	ck_assert_uint_eq(again.new_bytes, 0);
	ck_assert_uint_eq(again.result.pack_bytes, 0);
	ck_assert_int_ne(access(engine_pack(2), F_OK), 0);
	for (size_t i = 0; i < 500; i++)
		free((char *)(uintptr_t)c[i].name);
	engine_free(c, 500);
	free(c);
}
END_TEST

/* Generations that change a little: each stores what changed, refers to the rest, and can be read when the ones
 * before have gone. */
START_TEST(generations)
{
	struct content c[] = {NOISE("images/pages-1.img", PAGES(1000)), TEXT("images/core-1.img", 9000)};

	engine_open();
	for (uint32_t g = 1; g <= 6; g++) {
		struct making m = {.generation = g, .past = g - 1, .threads = 2};

		engine_round(&m, c, N(c));
		ck_assert_str_eq(m.remark, "");
		if (g > 1) {
			ck_assert_uint_ge(m.new_bytes, PAGES(20));
			ck_assert_uint_le(m.new_bytes, PAGES(20) + 9000);
			ck_assert_uint_eq(m.result.n_packs, g);
		}
		for (size_t i = 0; i < 20; i++)
			engine_fill_random(c[0].data + PAGES(i * 50 + g), CR_CHUNK);
	}
	engine_free(c, N(c));
}
END_TEST

/* Pages that come or go in front: what is behind them is found again. */
START_TEST(shifted)
{
	size_t pages = 3000;
	struct content c = NOISE("images/pages-1.img", PAGES(pages)), d;
	struct making m = {.generation = 1}, later = {.generation = 2, .past = 1},
		      back = {.generation = 3, .past = 2};

	engine_open();
	engine_round(&m, &c, 1);
	d = (struct content){.name = c.name, .data = engine_noise(PAGES(pages + 17)), .size = PAGES(pages + 17)};
	memcpy(d.data + PAGES(17), c.data, PAGES(pages));
	engine_round(&later, &d, 1);
	ck_assert_uint_eq(later.new_bytes, PAGES(17));
	memmove(d.data + PAGES(100), d.data + PAGES(1000), PAGES(2017));
	d.size = PAGES(2117);
	engine_round(&back, &d, 1);
	ck_assert_uint_eq(back.new_bytes, 0);
	engine_free(&c, 1);
	engine_free(&d, 1);
}
END_TEST

/* The same with room for few anchors: some chunks are not found until one that is an anchor comes. */
START_TEST(shifted_with_little_memory)
{
	size_t pages = 12000;
	struct content c = {.name = "p", .data = engine_zero(PAGES(pages)), .size = PAGES(pages)}, d;
	struct making m = {.generation = 1}, later = {.generation = 2, .past = 1, .tables = 64 << 10};

	for (size_t i = 0; i < pages; i++)
		memcpy(c.data + PAGES(i), &(uint64_t){i + 1}, 8);
	engine_open();
	engine_make(&m, &c, 1);
	d = (struct content){.name = c.name, .data = engine_zero(PAGES(pages + 1)), .size = PAGES(pages + 1)};
	memcpy(d.data + PAGES(1), c.data, PAGES(pages));
	memset(d.data, 'n', CR_CHUNK);
	engine_round(&later, &d, 1);
	ck_assert_uint_le(later.new_bytes, PAGES(200));
	engine_free(&c, 1);
	engine_free(&d, 1);
}
END_TEST

/* What stood in another stream of the last generation counts as well. */
START_TEST(renamed_stream)
{
	struct content c = NOISE("images/pages-1.img", PAGES(200));
	struct making m = {.generation = 1}, later = {.generation = 2, .past = 1};

	engine_open();
	engine_round(&m, &c, 1);
	c.name = "images/pages-2.img";
	engine_round(&later, &c, 1);
	ck_assert_uint_eq(later.new_bytes, 0);
	engine_free(&c, 1);
}
END_TEST

/* ---- archives ---- */

static struct content archive(const char *names)
{
	struct content c = {.name = "private.tar", .archive = true};
	char command[3 * PATH_MAX];

	(void)snprintf(command, sizeof(command), "cd '%s' && tar --format=gnu --sort=name -cf a.tar %s", unit_dir,
		       names);
	ck_assert_int_eq(system(command), 0);
	c.data = engine_load(unit_path("a.tar"), &c.size);
	return c;
}

START_TEST(archives)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 4096, 4097, 10000, 100000, 5};
	struct content c[2];
	struct making m = {.generation = 1}, later = {.generation = 2, .past = 1};

	engine_open();
	ck_assert_int_eq(mkdir(unit_path("d"), 0755), 0);
	for (size_t i = 0; i < N(sizes); i++) {
		unsigned char *data = engine_noise(sizes[i]);
		char name[200];

		/* one name is too long for a header */
		(void)snprintf(name, sizeof(name), "d/file-%zu%0*d", i, i == 7 ? 130 : 1, 0);
		unit_write_bytes(name, data, sizes[i]);
		free(data);
	}
	c[0] = archive("d");
	engine_round(&m, c, 1);
	/* a file comes in front of all others, at no chunk's boundary */
	unit_write("d/a", "a new file of an odd size");
	c[1] = archive("d");
	ck_assert_uint_gt(c[1].size, 100000);
	engine_round(&later, c + 1, 1);
	/* the contents are found again; headers and the new file are not */
	ck_assert_uint_lt(later.new_bytes, 12000);
	engine_free(c, 2);
}
END_TEST

/* Taken as an archive, whatever it is comes back. */
START_TEST(no_archives)
{
	struct content c[] = KINDS;

	engine_open();
	for (size_t i = 0; i < N(c); i++)
		c[i].archive = true;
	for (uint32_t g = 1; g <= 3; g++) {
		struct making m = {.generation = g, .past = g - 1, .piece = g == 3 ? 1000 : 0};

		engine_round(&m, c, N(c));
		ck_assert(g == 1 || m.new_bytes == 0);
	}
	engine_free(c, N(c));
}
END_TEST

/* ---- a past that is not what it should be ---- */

static struct making past_round(struct content *c, uint32_t g)
{
	struct making m = {.generation = g, .past = 1};

	engine_round(&m, c, 1);
	return m;
}

START_TEST(bad_past)
{
	struct content c = NOISE("p", PAGES(100));
	struct making m = {.generation = 1};
	unsigned char *data;
	size_t size;

	engine_open();
	engine_round(&m, &c, 1);
	data = engine_load(engine_index(1), &size);
	/* another version */
	cr_le32_put(data + 8, 2);
	engine_save(engine_index(1), data, size);
	m = past_round(&c, 2);
	ck_assert_uint_eq(m.new_bytes, c.size);
	ck_assert_ptr_nonnull(strstr(m.remark, "nothing is taken over from the last generation"));
	ck_assert_ptr_nonnull(strstr(m.remark, "newer"));
	/* damaged */
	cr_le32_put(data + 8, 1);
	data[size / 2] ^= 1;
	engine_save(engine_index(1), data, size);
	m = past_round(&c, 3);
	ck_assert_uint_eq(m.new_bytes, c.size);
	ck_assert_ptr_nonnull(strstr(m.remark, "nothing is taken over"));
	/* missing */
	ck_assert_int_eq(unlink(engine_index(1)), 0);
	m = past_round(&c, 4);
	ck_assert_uint_eq(m.new_bytes, c.size);
	ck_assert_ptr_nonnull(strstr(m.remark, "nothing is taken over"));
	free(data);
	engine_free(&c, 1);
}
END_TEST

/* A pack that is gone, or is another: what it held is stored again, the other packs are referred to. */
START_TEST(bad_packs)
{
	struct content c = NOISE("p", PAGES(100)), other = NOISE("p", PAGES(100));
	struct making m = {.generation = 1, .level = -1}, n = {.generation = 9, .level = -1};
	unsigned char *data;
	size_t size;

	engine_open();
	engine_round(&m, &c, 1);
	engine_round(&n, &other, 1);
	m = past_round(&c, 2);
	ck_assert_uint_eq(m.new_bytes, 0);
	/* of the same shape */
	data = engine_load(engine_pack(9), &size);
	engine_save(engine_pack(1), data, size);
	m = past_round(&c, 3);
	ck_assert_str_eq(m.remark, "");
	ck_assert_uint_eq(m.new_bytes, c.size);
	ck_assert_int_eq(unlink(engine_pack(1)), 0);
	m = past_round(&c, 4);
	ck_assert_uint_eq(m.new_bytes, c.size);
	free(data);
	engine_free(&c, 1);
	engine_free(&other, 1);
}
END_TEST

/* After enough generations the list of packs is short again, and the first pack is not needed for ever. */
START_TEST(compaction)
{
	struct content c = NOISE("p", PAGES(400));
	uint32_t most = 0;
	bool fell = false;

	engine_open();
	for (uint32_t g = 1; g <= 45; g++) {
		struct making m = {.generation = g, .past = g - 1};

		engine_make(&m, &c, 1);
		if (g % 9 == 0)
			engine_compare(g, &c, 1);
		fell = fell || m.result.n_packs < most;
		most = m.result.n_packs > most ? m.result.n_packs : most;
		ck_assert_uint_le(m.result.n_packs, 34);
		engine_fill_random(c.data + PAGES(g * 8), PAGES(2));
	}
	ck_assert(fell);
	ck_assert_uint_ge(most, 30);
	engine_free(&c, 1);
}
END_TEST

START_TEST(dead_pack)
{
	struct content c = NOISE("p", PAGES(100));
	struct making a = {.generation = 1}, b = {.generation = 2, .past = 1}, d = {.generation = 3, .past = 2};

	engine_open();
	engine_round(&a, &c, 1);
	engine_fill_random(c.data, PAGES(60));
	engine_round(&b, &c, 1);
	ck_assert_uint_eq(b.result.n_packs, 2);
	engine_round(&d, &c, 1);
	/* generation 2 used 40 of the 100 of pack 1: they are stored anew */
	ck_assert_uint_eq(d.new_bytes, PAGES(40));
	ck_assert_int_eq(unlink(engine_pack(1)), 0);
	engine_compare(3, &c, 1);
	engine_free(&c, 1);
}
END_TEST

/* ---- use and misuse ---- */

static struct cr_writer *open_writer(struct cr_pace *pace)
{
	static char dir[PATH_MAX], packs[PATH_MAX + 8];
	struct cr_writer_config config = {.job = 4711,
					  .generation = 1,
					  .dir = dir,
					  .packs = packs,
					  .pool = 1 << 20,
					  .expected = 1 << 20,
					  .tables = 64 << 10,
					  .level = 1,
					  .threads = 1,
					  .pace = pace};
	struct cr_writer *writer = NULL;
	struct cr_error err = {0};
	char remark[256];

	cr_pace_init(pace, 0, 100);
	engine_open();
	(void)snprintf(packs, sizeof(packs), "%s/packs", engine_store.dir);
	unit_assert_ok(cr_store_begin(&engine_store, 1, dir, &err), &err);
	unit_assert_ok(cr_writer_open(&writer, &config, remark, sizeof(remark), &err), &err);
	return writer;
}

START_TEST(streams_refused)
{
	struct cr_pace pace;
	struct cr_writer *writer = open_writer(&pace);
	struct cr_error err = {0};
	char longest[258];
	uint32_t id;

	memset(longest, 'n', 257);
	longest[256] = '\0';
	ck_assert_int_eq(cr_writer_stream(writer, longest, false, &id, &err), -1);
	unit_assert_error(&err, EINVAL, "1 to 255");
	ck_assert_int_eq(cr_writer_stream(writer, "", false, &id, &err), -1);
	longest[255] = '\0';
	unit_assert_ok(cr_writer_stream(writer, longest, false, &id, &err), &err);
	ck_assert_int_eq(cr_writer_stream(writer, longest, false, &id, &err), -1);
	unit_assert_error(&err, EEXIST, "comes twice");
	/* one that has not ended is not committed by mistake */
	ck_assert_int_eq(cr_writer_drain(writer, false, &err), -1);
	unit_assert_error(&err, EPIPE, "has not come to its end");
	unit_assert_ok(cr_writer_end(writer, id, &err), &err);
	unit_assert_ok(cr_writer_end(writer, id, &err), &err);
	unit_assert_ok(cr_writer_drain(writer, true, &err), &err);
	cr_writer_close(writer);
	cr_writer_close(NULL);
	cr_pace_destroy(&pace);
}
END_TEST

/* While there is room nothing is written before it is told so: the processors are the pipes'. */
START_TEST(keeps_still)
{
	struct cr_writer_result result;
	struct cr_pace pace;
	struct cr_writer *writer = open_writer(&pace);
	struct cr_error err = {0};
	struct stat st;
	uint32_t id;

	unit_assert_ok(cr_writer_stream(writer, "a", false, &id, &err), &err);
	for (int n = 0; n < 6; n++) {
		size_t room;
		void *at;

		unit_assert_ok(cr_writer_room(writer, &at, &room, &err), &err);
		ck_assert_uint_eq(room, CR_PACK_BLOCK / 2);
		engine_fill_random(at, room);
		unit_assert_ok(cr_writer_advance(writer, id, room, &err), &err);
	}
	unit_assert_ok(cr_writer_end(writer, id, &err), &err);
	usleep(200000);
	ck_assert_int_eq(stat(engine_path(".000001.tmp/pack"), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	unit_assert_ok(cr_writer_drain(writer, true, &err), &err);
	unit_assert_ok(cr_writer_finish(writer, &result, &err), &err);
	ck_assert_uint_gt(result.pack_bytes, 3 * CR_PACK_BLOCK);
	ck_assert_int_eq(stat(engine_path(".000001.tmp/pack"), &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, result.pack_bytes);
	free(result.packs);
	cr_writer_close(writer);
	cr_pace_destroy(&pace);
}
END_TEST

/* n MiB of noise, and its end. */
static void stream_put(struct cr_writer *writer, const char *name, size_t mib)
{
	struct cr_error err = {0};
	size_t left = mib << 20, room;
	uint32_t id;
	void *at;

	unit_assert_ok(cr_writer_stream(writer, name, false, &id, &err), &err);
	while (left > 0) {
		unit_assert_ok(cr_writer_room(writer, &at, &room, &err), &err);
		room = room < left ? room : left;
		engine_fill_random(at, room);
		unit_assert_ok(cr_writer_advance(writer, id, room, &err), &err);
		left -= room;
	}
	unit_assert_ok(cr_writer_end(writer, id, &err), &err);
}

/* Held, told to go on, more than the pool can take comes, held again. */
START_TEST(late_streams)
{
	struct cr_writer_result result;
	struct cr_pace pace;
	struct cr_writer *writer = open_writer(&pace);
	struct cr_error err = {0};

	stream_put(writer, "frozen", 1);
	cr_writer_hold(writer);
	cr_writer_go(writer, true);
	stream_put(writer, "late", 6);
	cr_writer_hold(writer);
	unit_assert_ok(cr_writer_drain(writer, true, &err), &err);
	unit_assert_ok(cr_writer_finish(writer, &result, &err), &err);
	ck_assert_uint_eq(result.image_bytes, 7 << 20);
	ck_assert_uint_gt(result.pack_bytes, 7 << 20);
	free(result.packs);
	cr_writer_close(writer);
	cr_pace_destroy(&pace);
}
END_TEST

/* Closed in the middle of it: nothing hangs, nothing leaks. */
START_TEST(given_up)
{
	struct cr_pace pace;
	struct cr_writer *writer = open_writer(&pace);
	struct cr_error err = {0};
	uint32_t ids[3];

	for (int i = 0; i < 3; i++)
		unit_assert_ok(cr_writer_stream(writer, (const char *[]){"a", "b", "c"}[i], i == 2, &ids[i], &err),
			       &err);
	for (int n = 0; n < 900; n++) {
		size_t room, size = 5000;
		void *at;

		unit_assert_ok(cr_writer_room(writer, &at, &room, &err), &err);
		size = size > room ? room : size;
		engine_fill_random(at, size);
		unit_assert_ok(cr_writer_advance(writer, ids[n % 3], size, &err), &err);
	}
	unit_assert_ok(cr_writer_settle(writer, &err), &err);
	ck_assert_uint_gt(cr_writer_bytes(writer), 0);
	cr_writer_close(writer);
	cr_pace_destroy(&pace);
}
END_TEST

/* Storage that fails is told to whoever waits for it, and at the end. */
START_TEST(storage_fails)
{
	struct content c = NOISE("a", PAGES(3000));
	struct making m = {.generation = 1, .pool = 1, .level = -1};
	struct cr_error err = {0};

	engine_open();
	/* no file may be longer than this */
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}), 0);
	ck_assert_int_eq(engine_try(&m, &c, 1, &err), -1);
	unit_assert_error(&err, EFBIG, "pack");
	/* all of it fits the pool: the end tells */
	unit_assert_ok(cr_store_abort(&engine_store, 1, &err), &err);
	m.pool = 64 << 20;
	ck_assert_int_eq(engine_try(&m, &c, 1, &err), -1);
	unit_assert_error(&err, EFBIG, "pack");
	engine_free(&c, 1);
}
END_TEST

/* Tables and pool are what was said, whatever is expected. */
START_TEST(memory)
{
	struct cr_drain *drain = NULL;
	struct cr_drain_config config = {.pool = 1, .threads = 1};
	struct cr_pace pace;
	struct cr_error err = {0};
	struct cr_block *blocks[CR_DRAIN_BLOCKS];

	cr_pace_init(&pace, 0, 100);
	config.pace = &pace;
	unit_assert_ok(cr_drain_open(&drain, &config, &err), &err);
	ck_assert_uint_eq(cr_drain_free(drain), CR_DRAIN_BLOCKS * CR_PACK_BLOCK);
	for (size_t i = 0; i < CR_DRAIN_BLOCKS; i++) {
		unit_assert_ok(cr_drain_take(drain, &blocks[i], &err), &err);
		memset(blocks[i]->data, 1, CR_PACK_BLOCK);
	}
	ck_assert_uint_eq(cr_drain_free(drain), 0);
	/* given back empty, it is free again and nothing is written */
	for (size_t i = 0; i < CR_DRAIN_BLOCKS; i++)
		cr_drain_put(drain, blocks[i]);
	ck_assert_uint_eq(cr_drain_free(drain), CR_DRAIN_BLOCKS * CR_PACK_BLOCK);
	unit_assert_ok(cr_drain_finish(drain, &err), &err);
	cr_drain_close(drain);
	cr_drain_close(NULL);
	cr_pace_destroy(&pace);
}
END_TEST

UNIT_MAIN("writer", {every_kind, true}, {levels_and_threads, true}, {pieces, true}, {tiny_pool, true},
	  {many_streams, true}, {generations, true}, {shifted, true}, {shifted_with_little_memory, true},
	  {renamed_stream, true}, {archives, true}, {no_archives, true}, {bad_past, true}, {bad_packs, true},
	  {compaction, true}, {dead_pack, true}, {streams_refused, true}, {keeps_still, true},
	  {late_streams, true}, {given_up, true}, {storage_fails, true}, {memory, false})
