/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* check_faults.c - the store when everything fails, one thing after the other
 *
 * A scenario is run over and over, with something else going wrong each time: every call that touches the store is
 * failed, cut short or the last one before the end, and after every step the power goes. What was promised by then
 * must be there, whole; what is there must be whole whoever promised it; and the next checkpoint must succeed.
 */

#include "unit.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/image.h"
#include "../../libcrcore/store.h"
#include "../../libcrcore/writer.h"
#include "crash.h"
#include "faults.h"

#define JOB	 4711u
#define PART	 "batch.0"
#define LAST	 64u  /* generations that a scenario may come to */
#define SMALL	 24u  /* chunks of a generation */
#define LARGE	 440u /* more than the pool holds */
#define ABSORBED 65536u
#define SHORT	 64u /* steps: a stride would leave too little of it */

/* Marks in the log, and what they do to a generation or the journal. */
enum { PROMISED, GOING, GONE, WRITTEN };

/* What must be there. Shared with children. */
struct world {
	unsigned char state[LAST];  /* of a generation: WORLD_… */
	unsigned int content[LAST]; /* chunks of its newest try */
	unsigned int like[LAST];    /* the generation whose content it has */
	unsigned int journal;	    /* lines that must be there: restart 1 to journal */
	uint32_t best;		    /* is there as long as there is any; 0: none */
};
enum { WORLD_FREE, WORLD_MUST, WORLD_MAY, WORLD_NOT };

static struct world *world;
static const char *context; /* for messages */
static bool strict;	    /* no more than one call fails */
static char run_dir[PATH_MAX + 8], base_dir[PATH_MAX + 8];

static void give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void give_up(const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ck_abort_msg("%s, %s: %s", context, faults_where(), text);
}

static void world_apply(struct world *w, int mark, int arg)
{
	if (mark == WRITTEN)
		w->journal = (unsigned int)arg;
	else if (arg < (int)LAST)
		w->state[arg] = mark == PROMISED ? WORLD_MUST : mark == GOING ? WORLD_MAY : WORLD_NOT;
}

/* From now on it holds, whatever happens. */
static void promise(int mark, uint32_t arg)
{
	world_apply(world, mark, (int)arg);
	faults_mark(mark, (int)arg);
}

/* ---- what a generation holds ---- */

static void chunk_make(unsigned char *data, uint64_t seed)
{
	uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < 4096; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, 8);
	}
}

/* Byte for byte what stream number of a generation is made of, malloc'ed: some that never changes, some that every
 * second generation shares with the one before, some of its own, some zeroes. */
static unsigned char *content_make(uint32_t generation, unsigned int stream, unsigned int chunks, size_t *size)
{
	unsigned char *data = calloc(chunks + 1, 4096);

	ck_assert_ptr_nonnull(data);
	*size = stream == 0 ? chunks * (size_t)4096 : stream * (size_t)1500 + generation;
	for (size_t i = 0; i * 4096 < *size; i++) {
		uint64_t seed = (stream + 1) * 1000003 + i;

		if (i % 4 == 1)
			chunk_make(data + i * 4096, seed);
		else if (i % 4 == 2)
			chunk_make(data + i * 4096, seed + (generation / 2 + 1) * UINT64_C(10000019));
		else if (i % 4 == 3 || stream > 0)
			chunk_make(data + i * 4096, seed + generation * UINT64_C(1000000007));
	}
	return data;
}

static const char *const streams[] = {"images/pages-1.img", "images/core-1.img", "files/stdout"};
#define STREAMS (sizeof(streams) / sizeof(streams[0]))

/* ---- a checkpoint, as spank_cr/init/dump.c makes it ---- */

static int store_open(struct cr_store *s, const char *dir, bool create, struct cr_error *err)
{
	return cr_store_open(s, dir, JOB, PART, geteuid(), create, err);
}

static int stream_write(struct cr_writer *w, const struct cr_manifest *m, unsigned int stream, unsigned int chunks,
			struct cr_error *err)
{
	size_t size, done = 0, room;
	cleanup_free unsigned char *data = content_make(world->like[m->generation], stream, chunks, &size);
	uint32_t id;
	void *at;

	if (cr_writer_stream(w, streams[stream], stream == 2, &id, err) < 0)
		return -1;
	while (done < size) {
		if (cr_writer_room(w, &at, &room, err) < 0)
			return -1;
		room = room < size - done ? room : size - done;
		memcpy(at, data + done, room);
		if (cr_writer_advance(w, id, room, err) < 0)
			return -1;
		done += room;
	}
	return cr_writer_end(w, id, err);
}

static int streams_write(const struct cr_store *s, const struct cr_manifest *m, const char *dir,
			 unsigned int chunks, struct cr_error *err)
{
	struct cr_pace pace;
	char packs[PATH_MAX + 8], past[PATH_MAX + 8], remark[256], generation[PATH_MAX];
	struct cr_writer_config config = {.job = JOB,
					  .generation = m->generation,
					  .dir = dir,
					  .packs = packs,
					  .expected = chunks * UINT64_C(4096),
					  .pool = 1u << 20,
					  .tables = 1u << 20,
					  .level = 1,
					  .threads = 1, /* so that calls come in the same order each time */
					  .pace = &pace};
	struct cr_writer_result result = {0};
	cleanup_free uint32_t *list = NULL;
	struct cr_writer *w;
	size_t n = 0;
	int rc = 0;

	(void)snprintf(packs, sizeof(packs), "%s/packs", s->dir);
	if (cr_store_list(s, &list, &n, NULL) == 0 && n > 0) {
		cr_store_path(s, list[0], generation);
		(void)snprintf(past, sizeof(past), "%s/index", generation);
		config.past = past;
	}
	cr_pace_init(&pace, 0, 100);
	if (cr_writer_open(&w, &config, remark, sizeof(remark), err) < 0) {
		cr_pace_destroy(&pace);
		return -1;
	}
	for (unsigned int i = 0; rc == 0 && i < STREAMS; i++)
		rc = stream_write(w, m, i, chunks, err);
	if (rc == 0)
		rc = cr_writer_drain(w, false, err);
	if (rc == 0)
		rc = cr_writer_finish(w, &result, err);
	free(result.packs);
	cr_writer_close(w);
	cr_pace_destroy(&pace);
	return rc;
}

/* A commit that failed has left nothing but a temporary directory, unless more went wrong. */
static void failed_check(const struct cr_store *s, uint32_t generation)
{
	char path[PATH_MAX], pack[PATH_MAX];
	struct stat st;

	cr_store_path(s, generation, path);
	cr_store_pack_path(s, generation, pack);
	if (strict && (lstat(path, &st) == 0 || lstat(pack, &st) == 0))
		give_up("generation %u has failed, but is there", generation);
}

/* cr_store_abort says that it is gone; one that has its name stays, for whoever comes next. */
static void aborted_check(const struct cr_store *s, uint32_t generation)
{
	char path[PATH_MAX], tmp[PATH_MAX], pack[PATH_MAX];
	struct stat st;

	cr_store_path(s, generation, path);
	cr_store_tmp_path(s, generation, tmp);
	cr_store_pack_path(s, generation, pack);
	if (lstat(tmp, &st) == 0 || (lstat(path, &st) < 0 && lstat(pack, &st) == 0))
		give_up("something of generation %u is left", generation);
}

static int generation_make(const struct cr_store *s, uint32_t generation, unsigned int chunks,
			   struct cr_error *err)
{
	const char *texts[] = {PART, "n1", "alice", "interval", "2026-03-01T12:34:56Z", "", "", "", "",
			       "",   "",   "host",  ""};
	struct cr_manifest m = {.job = JOB, .run = 1, .generation = generation, .root_pid = 2, .tasks = 1};
	char **const fields[] = {&m.part,      &m.node, &m.user,    &m.reason, &m.time, &m.kernel, &m.cpu_model,
				 &m.cpu_flags, &m.criu, &m.command, &m.glibc,  &m.net,	&m.groups};
	cleanup_free char *text = NULL;
	char dir[PATH_MAX];
	int rc = -1;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i] = strdup(texts[i]);
	if (cr_store_begin(s, generation, dir, err) == 0 && streams_write(s, &m, dir, chunks, err) == 0 &&
	    cr_image_record(s, &m, err) == 0 && cr_manifest_hash_dir(&m, dir, err) == 0 &&
	    cr_manifest_encode(&m, &text, err) == 0)
		rc = cr_store_commit(s, &m, text, "MUNGE:x:", err);
	cr_manifest_clear(&m);
	return rc;
}

/* rc is of a removal: what it has removed must not come back. */
static int gone_promise(const struct cr_store *s, int rc)
{
	for (uint32_t g = 1; rc == 0 && g < LAST; g++) {
		char path[PATH_MAX];
		struct stat st;

		cr_store_path(s, g, path);
		if (world->state[g] == WORLD_MAY && lstat(path, &st) < 0 && errno == ENOENT)
			promise(GONE, g);
	}
	return rc;
}

static int prune(const struct cr_store *s, size_t keep, struct cr_error *err)
{
	cleanup_free uint32_t *list = NULL;
	size_t n = 0;

	if (cr_store_list(s, &list, &n, err) < 0)
		return -1;
	for (size_t i = keep; i < n; i++)
		promise(GOING, list[i]);
	return gone_promise(s, cr_store_prune(s, 1, (int)keep, err));
}

/* like: the generation whose content it is to have, 0: a new one. */
static int checkpoint_like(const char *dir, unsigned int chunks, uint32_t like, struct cr_error *err)
{
	uint32_t generation = 0;
	struct cr_error ignored;
	struct cr_store s;
	int rc;

	if (store_open(&s, dir, true, err) < 0 || cr_store_sweep(&s, err) < 0 ||
	    cr_store_next(&s, &generation, err) < 0)
		return -1;
	ck_assert_uint_lt(generation, LAST);
	world->content[generation] = chunks;
	world->like[generation] = like ? like : generation;
	rc = generation_make(&s, generation, chunks, err);
	if (rc == 0) {
		promise(PROMISED, generation);
		(void)prune(&s, 2, &ignored);
	} else {
		failed_check(&s, generation);
		if (cr_store_abort(&s, generation, &ignored) == 0)
			aborted_check(&s, generation);
	}
	return rc;
}

static int checkpoint(const char *dir, unsigned int chunks, struct cr_error *err)
{
	return checkpoint_like(dir, chunks, 0, err);
}

/* ---- what is there ---- */

static void stream_check(struct cr_image *image, uint32_t generation, unsigned int stream)
{
	size_t size, done = 0, n;
	cleanup_free unsigned char *data =
		content_make(world->like[generation], stream, world->content[generation], &size);
	int64_t place = cr_image_find(image, streams[stream]);
	struct cr_image_reader *reader = NULL;
	struct cr_error err = {0};
	const void *piece;
	int rc;

	if (place < 0 || cr_image_reader_open(&reader, image, (size_t)place, &err) < 0)
		give_up("generation %u has no stream %s: %s", generation, streams[stream], err.text);
	while ((rc = cr_image_reader_next(reader, &piece, &n, &err)) == 1) {
		if (n > size - done || memcmp(piece, data + done, n) != 0)
			give_up("stream %s of generation %u differs at %zu", streams[stream], generation, done);
		done += n;
	}
	if (rc < 0 || done != size)
		give_up("stream %s of generation %u ends at %zu, not %zu: %s", streams[stream], generation, done,
			size, err.text);
	cr_image_reader_close(reader);
}

/* A generation that is listed is whole, whatever its commit said. */
static void generation_check(const struct cr_store *s, uint32_t generation)
{
	struct cr_manifest m = {0};
	struct cr_error err = {0};
	struct cr_image *image;
	char dir[PATH_MAX];

	cr_store_path(s, generation, dir);
	if (cr_manifest_read(&m, dir, &err) < 0 || cr_manifest_verify(&m, dir, &err) < 0 ||
	    cr_image_open(&image, s, generation, &err) < 0)
		give_up("generation %u is there, but %s", generation, err.text);
	for (unsigned int i = 0; i < STREAMS; i++)
		stream_check(image, generation, i);
	cr_image_close(image);
	cr_manifest_clear(&m);
}

static int journal_line(const struct cr_journal_event *event, void *arg)
{
	unsigned int *lines = arg;

	/* one that was not promised may have arrived all the same, and be followed by another try */
	if (event->restart == *lines + 1)
		++*lines;
	return 0;
}

static void journal_check(const struct cr_store *s, const struct world *w)
{
	struct cr_error err = {0};
	unsigned int lines = 0;

	if (cr_journal_each(s, journal_line, &lines, &err) < 0)
		give_up("%s", err.text);
	if (lines < w->journal)
		give_up("the journal has %u lines of %u", lines, w->journal);
}

static void store_check(const char *dir, const struct world *w)
{
	cleanup_free uint32_t *list = NULL;
	struct cr_error err = {0};
	struct cr_store s;
	size_t n = 0;

	if (store_open(&s, dir, false, &err) < 0) {
		if (err.errnum != ENOENT)
			give_up("%s", err.text);
	} else {
		if (cr_store_list(&s, &list, &n, &err) < 0)
			give_up("%s", err.text);
		journal_check(&s, w);
	}
	for (size_t i = 0; i < n; i++)
		generation_check(&s, list[i]);
	if (n > 0 && w->best && list[0] != w->best)
		give_up("generation %u has gone before %u", w->best, list[0]);
	for (uint32_t g = 0; g < LAST; g++) {
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there = there || list[i] == g;
		if (w->state[g] == WORLD_MUST && !there)
			give_up("generation %u is lost", g);
		if (w->state[g] == WORLD_NOT && there)
			give_up("generation %u is there again", g);
	}
}

static bool pack_wanted(const struct cr_store *s, uint32_t number)
{
	bool wanted = false;

	for (uint32_t g = 1; g < LAST && !wanted; g++) {
		struct cr_manifest m = {0};
		char dir[PATH_MAX + 8];

		cr_store_path(s, g, dir);
		if (cr_manifest_read(&m, dir, NULL) < 0) {
			strcat(dir, ".bad");
			if (cr_manifest_read(&m, dir, NULL) < 0)
				continue;
		}
		for (size_t i = 0; i < m.n_packs; i++)
			wanted = wanted || m.packs[i].generation == number;
		cr_manifest_clear(&m);
	}
	return wanted;
}

static bool entry_known(const struct cr_store *s, const char *sub, const char *name)
{
	unsigned int number = 0;
	int end = 0;

	if (strcmp(sub, "packs") == 0)
		return sscanf(name, "%6u.pack%n", &number, &end) == 1 && name[end] == '\0' && end == 11 &&
		       pack_wanted(s, number);
	if (*sub)
		return strcmp(name, "index") == 0 || strncmp(name, "manifest.", 9) == 0;
	if (sscanf(name, "%6u%n", &number, &end) == 1 && end == 6)
		return name[6] == '\0' || strcmp(name + 6, ".bad") == 0;
	return strcmp(name, "packs") == 0 || strcmp(name, "journal.jsonl") == 0 || strcmp(name, ".try") == 0;
}

/* Nothing is there that nobody wants: sub is a directory of the part's, or "". */
static void tidy_check(const struct cr_store *s, const char *sub)
{
	char path[2 * PATH_MAX];
	cleanup_closedir DIR *stream = NULL;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, sub);
	stream = opendir(path);
	if (!stream)
		give_up("%s: %s", path, strerror(errno));
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!entry_known(s, sub, entry->d_name))
			give_up("%s was left in %s", entry->d_name, path);
		if (!*sub && entry->d_type == DT_DIR)
			tidy_check(s, entry->d_name);
	}
}

/* All that is to hold of what is left in dir, whoever left it, and that life goes on there. */
static void aftermath(const char *dir, const struct world *w)
{
	const struct world before = *world;
	struct cr_error err = {0};
	struct cr_store s;

	*world = *w;
	store_check(dir, world);
	if (store_open(&s, dir, false, &err) == 0) {
		if (cr_store_sweep(&s, &err) < 0)
			give_up("%s", err.text);
		tidy_check(&s, "");
	}
	world->best = 0;
	store_check(dir, world);
	if (checkpoint(dir, SMALL, &err) < 0)
		give_up("the next checkpoint fails: %s", err.text);
	store_check(dir, world);
	unit_assert_ok(store_open(&s, dir, false, &err), &err);
	tidy_check(&s, "");
	if (faccessat(AT_FDCWD, strcat(s.dir, "/.try"), F_OK, 0) == 0)
		give_up("%s was left", s.dir);
	*world = before;
}

/* ---- scenarios ---- */

struct scenario {
	const char *name;
	unsigned int generations;			   /* before it begins */
	void (*before)(const char *dir);		   /* what else is to be there; or NULL */
	int (*run)(const char *dir, struct cr_error *err); /* -1 with an error, or 0 */
};

static int run_checkpoint(const char *dir, struct cr_error *err)
{
	return checkpoint(dir, LARGE, err);
}

static int run_first(const char *dir, struct cr_error *err)
{
	return checkpoint(dir, SMALL, err);
}

static int run_nothing_new(const char *dir, struct cr_error *err)
{
	return checkpoint_like(dir, SMALL, 2, err);
}

static int run_prune(const char *dir, struct cr_error *err)
{
	struct cr_store s;

	return store_open(&s, dir, false, err) < 0 ? -1 : prune(&s, 1, err);
}

static void open_plain(struct cr_store *s, const char *dir)
{
	struct cr_error err = {0};

	unit_assert_ok(store_open(s, dir, false, &err), &err);
}

static void before_more(const char *dir)
{
	struct cr_error err = {0};
	struct cr_store s;

	open_plain(&s, dir);
	for (uint32_t g = 3; g <= 5; g++) {
		world->content[g] = SMALL;
		world->like[g] = g;
		unit_assert_ok(generation_make(&s, g, SMALL, &err), &err);
		promise(PROMISED, g);
	}
	world->state[3] = WORLD_NOT;
	char from[PATH_MAX], to[PATH_MAX + 8];
	cr_store_path(&s, 3, from);
	(void)snprintf(to, sizeof(to), "%s.bad", from);
	ck_assert_int_eq(rename(from, to), 0);
}

static int run_set_aside(const char *dir, struct cr_error *err)
{
	struct cr_store s;

	if (store_open(&s, dir, false, err) < 0)
		return -1;
	for (uint32_t g = 2; g < LAST; g++)
		if (world->state[g] == WORLD_MUST)
			promise(GOING, g);
	return gone_promise(&s, cr_store_set_aside(&s, 1, err));
}

static int run_clear(const char *dir, struct cr_error *err)
{
	struct cr_store s;

	if (store_open(&s, dir, false, err) < 0)
		return -1;
	for (uint32_t g = 1; g < LAST; g++) {
		if (world->state[g] != WORLD_MUST)
			continue;
		promise(GOING, g);
		world->best = g;
	}
	return gone_promise(&s, cr_store_clear(&s, err));
}

static void before_leftovers(const char *dir)
{
	struct cr_error err = {0};
	char path[PATH_MAX];
	struct cr_store s;

	open_plain(&s, dir);
	unit_assert_ok(cr_store_begin(&s, 7, path, &err), &err);
	strcat(path, "/pack");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	cr_store_pack_path(&s, 6, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	(void)snprintf(path, sizeof(path), "%.*s/.000001.del", PATH_MAX - 32, s.dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static int run_sweep(const char *dir, struct cr_error *err)
{
	struct cr_store s;

	return store_open(&s, dir, false, err) < 0 ? -1 : cr_store_sweep(&s, err);
}

static int run_abort(const char *dir, struct cr_error *err)
{
	struct cr_store s;

	if (store_open(&s, dir, false, err) < 0)
		return -1;
	return cr_store_abort(&s, 6, err) < 0 || cr_store_abort(&s, 7, err) < 0 ? -1 : 0;
}

static int run_journal(const char *dir, struct cr_error *err)
{
	struct cr_journal_event event = {.event = "fresh", .node = "n1", .time = "2026-03-01T12:34:56Z", .ms = -1};
	struct cr_store s;
	int rc = 0;

	if (store_open(&s, dir, false, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		struct cr_error e = {0};

		event.restart = world->journal + 1;
		if (cr_journal_append(&s, &event, &e) == 0) {
			promise(WRITTEN, event.restart);
			continue;
		}
		*err = e;
		rc = -1;
	}
	return rc;
}

static const struct scenario scenarios[] = {
	{"checkpoint", 2, NULL, run_checkpoint},
	{"first checkpoint", 0, NULL, run_first},
	{"nothing new", 2, NULL, run_nothing_new},
	{"prune", 2, before_more, run_prune},
	{"set aside", 2, before_more, run_set_aside},
	{"clear", 2, before_more, run_clear},
	{"sweep", 2, before_leftovers, run_sweep},
	{"abort", 2, before_leftovers, run_abort},
	{"journal", 1, NULL, run_journal},
};

/* ---- running them ---- */

static struct crash *base;
static struct world base_world;
static uint64_t *seen;
static size_t n_seen, n_states;

/* Once for each scenario: what every run of it begins with. */
static void scenario_begin(const struct scenario *c)
{
	struct cr_error err = {0};

	context = c->name;
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", unit_dir);
	(void)snprintf(base_dir, sizeof(base_dir), "%s/base", unit_dir);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(world, MAP_FAILED);
	ck_assert_int_eq(mkdir(base_dir, 0700), 0);
	for (unsigned int i = 0; i < c->generations; i++)
		unit_assert_ok(checkpoint(base_dir, SMALL, &err), &err);
	if (c->before)
		c->before(base_dir);
	base_world = *world;
	base = crash_import(base_dir);
}

static void run_reset(void)
{
	*world = base_world;
	crash_make(base, CRASH_KEPT, (struct crash_names){0}, run_dir);
}

static void error_check(int rc, const struct cr_error *err)
{
	if (rc < 0 && (err->errnum == 0 || !err->text[0] || strchr(err->text, '\n')))
		give_up("errnum %d, \"%s\"", err->errnum, err->text);
}

/* Whatever had not been synced at the end is lost. */
static void power_cut_at_end(void)
{
	struct crash *crash;
	const struct fault_log *log;
	size_t n;

	log = faults_log(&n);
	crash = crash_import(base_dir);
	for (size_t i = 0; i < n; i++)
		crash_step(crash, &log[i]);
	crash_make(crash, CRASH_LOST, (struct crash_names){0, crash_changes(crash)}, run_dir);
	store_check(run_dir, world);
	crash_free(crash);
}

/* One run with one thing that fails. Returns false when it came to its end without having met it. */
static bool run_error(const struct scenario *c, const struct fault_plan *plan)
{
	struct cr_error err = {0};
	bool met;
	int rc;

	run_reset();
	faults_begin(run_dir, plan);
	strict = plan->kind == FAULT_ERROR && !plan->on;
	rc = c->run(run_dir, &err);
	strict = false;
	met = faults_met();
	error_check(rc, &err);
	faults_relent();
	store_check(run_dir, world);
	/* once more, without faults: and then as if nothing had been */
	if (met && plan->kind == FAULT_ERROR && (!plan->on || plan->errnum == EIO)) {
		if (c->run(run_dir, &err) < 0)
			give_up("the second time: %s", err.text);
		store_check(run_dir, world);
		faults_end();
		power_cut_at_end();
	} else {
		faults_end();
		aftermath(run_dir, world);
	}
	return met;
}

static bool run_kill(const struct scenario *c, long at)
{
	const struct fault_plan plan = {.kind = FAULT_KILL, .at = at};
	struct cr_error err;
	int status;
	pid_t pid;

	run_reset();
	(void)fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		faults_begin(run_dir, &plan);
		(void)c->run(run_dir, &err);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != FAULT_EXIT))
		give_up("killed at %ld: the child ends with status %d", at, status);
	aftermath(run_dir, world);
	return WEXITSTATUS(status) == FAULT_EXIT;
}

/* CR_FAULTS_STRIDE=N: each Nth of the places, for the sanitizers: it takes them as long as all the rest. */
static long stride(void)
{
	const char *text = getenv("CR_FAULTS_STRIDE");
	long n = text ? atol(text) : 1;

	return n > 0 ? n : 1;
}

static void errors_all(const struct scenario *c)
{
	static const struct {
		const char *name;
		struct fault_plan plan;
	} kinds[] = {
		{"EIO", {.kind = FAULT_ERROR, .errnum = EIO}},
		{"EIO from then on", {.kind = FAULT_ERROR, .errnum = EIO, .on = true}},
		{"ENOSPC", {.kind = FAULT_ERROR, .errnum = ENOSPC}},
		{"ENOSPC from then on", {.kind = FAULT_ERROR, .errnum = ENOSPC, .on = true}},
		{"EDQUOT", {.kind = FAULT_ERROR, .errnum = EDQUOT}},
		{"EDQUOT from then on", {.kind = FAULT_ERROR, .errnum = EDQUOT, .on = true}},
		{"half a write", {.kind = FAULT_SHORT, .errnum = ENOSPC}},
		{"half a write, then ENOSPC", {.kind = FAULT_SHORT, .errnum = ENOSPC, .on = true}},
		{"EIO while reading", {.kind = FAULT_ERROR, .errnum = EIO, .reads = true}},
		{"EIO while reading, from then on",
		 {.kind = FAULT_ERROR, .errnum = EIO, .reads = true, .on = true}},
	};
	char text[128];

	context = text;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fault_plan plan = kinds[i].plan;

		(void)snprintf(text, sizeof(text), "%s, %s", c->name, kinds[i].name);
		while (run_error(c, &plan))
			plan.at += stride();
		ck_assert_int_gt(plan.at, 1);
	}
	(void)snprintf(text, sizeof(text), "%s, kill", c->name);
	for (long at = 0; run_kill(c, at); at += stride())
		;
	context = c->name;
}

/* ---- power cuts ---- */

static bool state_new(uint64_t hash)
{
	for (size_t i = 0; i < n_seen; i++)
		if (seen[i] == hash)
			return false;
	ck_assert_uint_lt(n_seen, ABSORBED);
	seen[n_seen++] = hash;
	return true;
}

static void cut_state(struct crash *crash, const struct world *w, size_t at, enum crash_data data,
		      struct crash_names names)
{
	char text[256];
	const char *before = context;
	uint64_t hash = crash_hash(crash, data, names);

	for (size_t i = 0; i < LAST; i++)
		hash = hash * 31 + w->state[i];
	if (!state_new(hash * 31 + w->journal))
		return;
	n_states++;
	(void)snprintf(text, sizeof(text), "%s, power cut before step %zu, data %d, names %zu to %zu of %zu lost",
		       before, at, (int)data, names.from, names.until, crash_changes(crash));
	context = text;
	crash_make(crash, data, names, run_dir);
	aftermath(run_dir, w);
	context = before;
}

static void cut_states(struct crash *crash, const struct world *w, size_t at)
{
	size_t n = crash_changes(crash);

	for (enum crash_data data = 0; data < CRASH_DATA; data++) {
		for (size_t i = 0; i <= n; i++) {
			cut_state(crash, w, at, data, (struct crash_names){i, n});
			cut_state(crash, w, at, data, (struct crash_names){0, i});
			if (i < n)
				cut_state(crash, w, at, data, (struct crash_names){i, i + 1});
		}
	}
}

/* The log of one run, step by step. */
static void cuts_all(const struct scenario *c)
{
	const struct fault_plan none = {.kind = FAULT_NONE};
	struct world w = base_world;
	struct cr_error err = {0};
	const struct fault_log *log;
	struct crash *crash;
	size_t n;

	run_reset();
	faults_begin(run_dir, &none);
	unit_assert_ok(c->run(run_dir, &err), &err);
	faults_end();
	memcpy(w.content, world->content, sizeof(w.content));
	memcpy(w.like, world->like, sizeof(w.like));
	w.best = world->best;
	log = faults_log(&n);
	seen = calloc(ABSORBED, sizeof(*seen));
	ck_assert_ptr_nonnull(seen);
	crash = crash_import(base_dir);
	for (size_t i = 0; i <= n; i++) {
		if (n <= SHORT || i % (size_t)stride() == 0)
			cut_states(crash, &w, i);
		if (i < n && log[i].op == FAULT_MARK)
			world_apply(&w, log[i].mark, log[i].arg);
		else if (i < n)
			crash_step(crash, &log[i]);
	}
	crash_free(crash);
	free(seen);
}

/* ---- somebody removes it ---- */

static void gone_all(const struct scenario *c, const char *name, bool innocent)
{
	char text[128], gone[2 * PATH_MAX];
	struct fault_plan plan = {.kind = FAULT_GONE, .gone = gone};
	bool met = true;

	(void)snprintf(text, sizeof(text), "%s, %s removed", c->name, name);
	(void)snprintf(gone, sizeof(gone), "%s/%u/%s/%s", run_dir, JOB, PART, name);
	context = text;
	for (; met; plan.at += stride()) {
		struct cr_error err = {0};
		int rc;

		run_reset();
		faults_begin(run_dir, &plan);
		rc = c->run(run_dir, &err);
		met = faults_met();
		faults_end();
		error_check(rc, &err);
		if (!met || innocent) {
			aftermath(run_dir, world);
			continue;
		}
		/* what was promised is gone with it; but not what is promised from now on */
		memset(world->state, 0, sizeof(world->state));
		world->journal = 0;
		if (checkpoint(run_dir, SMALL, &err) < 0)
			give_up("the next checkpoint fails: %s", err.text);
		struct cr_store s;
		uint32_t *list = NULL;
		size_t n = 0;

		unit_assert_ok(store_open(&s, run_dir, false, &err), &err);
		unit_assert_ok(cr_store_list(&s, &list, &n, &err), &err);
		ck_assert_uint_gt(n, 0);
		generation_check(&s, list[0]);
		free(list);
	}
	ck_assert_int_gt(plan.at, 2);
}

START_TEST(errors)
{
	scenario_begin(&scenarios[_i]);
	errors_all(&scenarios[_i]);
}
END_TEST

START_TEST(power_cuts)
{
	scenario_begin(&scenarios[_i]);
	cuts_all(&scenarios[_i]);
	ck_assert_uint_gt(n_states, 1);
}
END_TEST

START_TEST(removed)
{
	static const struct {
		const char *name;
		bool innocent;
	} gone[] = {{".000003.tmp", true}, {"packs", false}, {"", false}};

	scenario_begin(&scenarios[0]);
	gone_all(&scenarios[0], gone[_i].name, gone[_i].innocent);
}
END_TEST

/* What is not seen cannot be failed: a build that calls libc by other names must not pass. */
START_TEST(seen_all)
{
	const struct fault_plan none = {.kind = FAULT_NONE};
	struct cr_error err = {0};

	scenario_begin(&scenarios[0]);
	run_reset();
	faults_begin(run_dir, &none);
	unit_assert_ok(run_checkpoint(run_dir, &err), &err);
	faults_end();
	for (enum fault_op op = 0; op < FAULT_MARK; op++)
		if (op != FAULT_TRUNCATE)
			ck_assert_msg(op == FAULT_MKDIR || faults_seen(op) > 0, "operation %d", (int)op);
	/* the pool was too small for it, so that writing began while streams came */
	ck_assert_uint_gt(faults_seen(FAULT_WRITE), 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	const struct {
		const TTest *test;
		int n;
	} loops[] = {{seen_all, 1},
		     {errors, sizeof(scenarios) / sizeof(scenarios[0])},
		     {power_cuts, sizeof(scenarios) / sizeof(scenarios[0])},
		     {removed, 3}};
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		TCase *tcase = tcase_create(loops[i].test->name);

		tcase_add_checked_fixture(tcase, unit_setup, unit_teardown);
		tcase_set_timeout(tcase, 240);
		tcase_add_loop_test(tcase, loops[i].test, 0, loops[i].n);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
