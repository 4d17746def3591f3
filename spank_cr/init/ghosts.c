/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ghosts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "criuedit.h"
#include "criuimg.h"
#include "fs.h"
#include "proto/files.pb-c.h"

#define TMP "/tmp"
#define SHM "/dev/shm"

#define REMAP_GHOST 1u
#define NAMES_MAX   (1u << 20)
#define SPARE	    (UINT64_C(16) << 20) /* bytes that stay free */
#define ADDED	    64			 /* bytes that criu adds to a name */
#define NAME_MOST   200			 /* bytes of a name that it can add to */

/* While images are read. */
struct reading {
	struct ghosts *g;
	size_t room_names, room;
	struct ghost *current;
};

/* ---- reading ---- */

static int by_file(const void *a, const void *b)
{
	const struct ghost_name *x = a, *y = b;

	return x->file < y->file ? -1 : x->file > y->file;
}

static int by_ghost(const void *a, const void *b)
{
	const struct ghost_name *x = a, *y = b;

	return x->ghost < y->ghost ? -1 : x->ghost > y->ghost;
}

static int by_id(const void *a, const void *b)
{
	const struct ghost *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int grown(void *list, size_t *room, size_t n, size_t size, struct cr_error *err)
{
	void *p;

	if (n < *room)
		return 0;
	if (n >= NAMES_MAX)
		return cr_error_set(err, E2BIG, "more than %u removed files", NAMES_MAX);
	p = reallocarray(*(void **)list, n ? 2 * n : 16, size);
	if (!p)
		return cr_error_sys(err, ENOMEM, "the list of removed files");
	*(void **)list = p;
	*room = n ? 2 * n : 16;
	return 0;
}

static struct ghost *ghost_find(const struct ghosts *g, uint32_t id)
{
	const struct ghost key = {.id = id};

	return g->n ? bsearch(&key, g->list, g->n, sizeof(key), by_id) : NULL;
}

static int remap_take(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__RemapFilePathEntry *remap = (const Criu__RemapFilePathEntry *)message;
	struct reading *r = at->arg;
	struct ghosts *g = r->g;

	if (remap->remap_type != REMAP_GHOST)
		return CR_CRIUEDIT_KEEP;
	if (grown(&g->names, &r->room_names, g->n_names, sizeof(*g->names), err) < 0)
		return -1;
	g->names[g->n_names++] = (struct ghost_name){remap->orig_id, remap->remap_id};
	return CR_CRIUEDIT_KEEP;
}

/* The first entry says what it is; the rest may be long. */
static int head_take(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__GhostFileEntry *head = (const Criu__GhostFileEntry *)message;
	struct reading *r = at->arg;

	r->current->mode = head->mode;
	r->current->uid = head->uid;
	r->current->gid = head->gid;
	r->current->size = head->size;
	return cr_error_set(err, ECANCELED, "enough");
}

static int heads_read(struct reading *r, struct cr_image *image, struct cr_error *err)
{
	static const struct cr_criuedit edits[] = {
		{.pattern = "ghost-file-*.img", .type = &criu__ghost_file_entry__descriptor, .entry = head_take},
		{0},
	};
	struct ghosts *g = r->g;

	if (g->n_names)
		qsort(g->names, g->n_names, sizeof(*g->names), by_ghost);
	for (size_t i = 0; i < g->n_names; i++) {
		uint32_t id = g->names[i].ghost;
		char name[64];

		if (g->n && g->list[g->n - 1].id == id)
			continue;
		if (grown(&g->list, &r->room, g->n, sizeof(*g->list), err) < 0)
			return -1;
		r->current = &g->list[g->n++];
		*r->current = (struct ghost){.id = id};
		snprintf(name, sizeof(name), "ghost-file-%x.img", id);
		if (cr_criuedit_read_image(image, name, edits, r, err) == 0)
			return cr_error_set(err, EBADMSG, "%s is empty", name);
		if (err->errnum != ECANCELED)
			return -1;
	}
	if (g->n_names)
		qsort(g->names, g->n_names, sizeof(*g->names), by_file);
	return 0;
}

/* ---- places ---- */

/* Is it free, and in a directory that this user can write? */
static bool is_free(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!slash || (size_t)(slash - path) >= sizeof(dir) || lstat(path, &st) == 0)
		return false;
	snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return access(dir, W_OK | X_OK) == 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Is the last part of it longer than criu can add to? */
static bool is_long(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strlen(slash ? slash + 1 : name) > NAME_MOST;
}

/* Room for size bytes, where programs may be mapped from? */
static bool has_room(const char *dir, uint64_t size)
{
	struct statvfs fs;

	return statvfs(dir, &fs) == 0 && !(fs.f_flag & ST_NOEXEC) &&
	       (uint64_t)fs.f_bavail * fs.f_frsize >= size + SPARE;
}

/* A directory stays, if it can, where ".." leads to what it did. What is too large for the job's /tmp, or may not
 * be run there, stays where it was if it can. */
static const char *base_choose(struct ghosts *g, const struct ghost *ghost, const char *name)
{
	uint64_t sum = g->sum + ghost->size;

	if (S_ISDIR(ghost->mode))
		return !g->strict && is_free(name) && !is_long(name) ? NULL : g->tmp;
	if (is_below(name, g->shm))
		return g->shm;
	if (has_room(g->tmp, sum)) {
		g->sum = sum;
		return g->tmp;
	}
	return is_free(name) && !is_long(name) ? NULL : g->shm;
}

/* "#123": what the kernel calls a file that was made without a name. */
static bool is_nameless(const struct ghost *ghost, const char *name)
{
	const char *last = strrchr(name, '/');

	return S_ISREG(ghost->mode) && last && last[1] == '#' && last[2] &&
	       !last[2 + strspn(last + 2, "0123456789")];
}

static int file_take(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__RegFileEntry *reg = ((const Criu__FileEntry *)message)->reg;
	struct reading *r = at->arg;
	struct ghost *ghost = reg && reg->name ? ghosts_find(r->g, reg->id) : NULL;

	if (!ghost)
		return CR_CRIUEDIT_KEEP;
	if (!(reg->flags & O_PATH))
		ghost->want |= (reg->flags & O_ACCMODE) == O_RDONLY   ? S_IRUSR
			       : (reg->flags & O_ACCMODE) == O_WRONLY ? S_IWUSR
								      : S_IRUSR | S_IWUSR;
	/* mapped, perhaps from a descriptor that could write */
	if (reg->flags == 0 && S_ISREG(ghost->mode))
		ghost->want |= S_IRUSR | S_IWUSR;
	if (!ghost->placed && is_nameless(ghost, reg->name)) {
		ghost->dir = strdup(reg->name);
		if (!ghost->dir)
			return cr_error_sys(err, ENOMEM, "the list of removed files");
		*(strrchr(ghost->dir, '/') + (strrchr(ghost->dir, '/') == ghost->dir)) = '\0';
	}
	if (!ghost->placed)
		ghost->base = base_choose(r->g, ghost, ghosts_origin(r->g, reg->name));
	ghost->placed = true;
	return CR_CRIUEDIT_KEEP;
}

int ghosts_read(struct ghosts *g, struct cr_image *image, bool strict, struct cr_error *err)
{
	static const struct cr_criuedit remaps[] = {
		{.pattern = "remap-fpath.img",
		 .type = &criu__remap_file_path_entry__descriptor,
		 .entry = remap_take},
		{0},
	};
	static const struct cr_criuedit files[] = {
		{.pattern = "files.img", .type = &criu__file_entry__descriptor, .entry = file_take},
		{0},
	};
	struct reading r = {.g = g};

	*g = (struct ghosts){.tmp = TMP, .shm = SHM, .strict = strict};
	/* no such image: there are none */
	if (cr_criuedit_read_image(image, "remap-fpath.img", remaps, &r, err) < 0)
		return err->errnum == ENOENT ? 0 : -1;
	if (heads_read(&r, image, err) < 0)
		return -1;
	return g->n ? cr_criuedit_read_image(image, "files.img", files, &r, err) : 0;
}

void ghosts_clear(struct ghosts *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->list[i].dir);
	free(g->list);
	free(g->names);
	*g = (struct ghosts){0};
}

struct ghost *ghosts_find(const struct ghosts *g, uint32_t file)
{
	const struct ghost_name key = {.file = file}, *name;

	name = g->n_names ? bsearch(&key, g->names, g->n_names, sizeof(key), by_file) : NULL;
	return name ? ghost_find(g, name->ghost) : NULL;
}

struct ghost *ghosts_get(const struct ghosts *g, uint32_t id)
{
	return ghost_find(g, id);
}

const char *ghosts_origin(const struct ghosts *g, const char *name)
{
	const char *const bases[] = {g->tmp, g->shm};

	for (size_t i = 0; i < 2; i++) {
		char top[PATH_MAX];
		const char *p = name;

		snprintf(top, sizeof(top), "%s/" GHOSTS, bases[i]);
		if (!is_below(name, top))
			continue;
		p += strlen(top) + 1;
		p += strspn(p, "0123456789");
		if (p[0] == '/' && p[1])
			return p;
	}
	return name;
}

/* GHOSTS, new: what is there is the leftover of an attempt that was interrupted, or nothing of ours. */
static int top_make(struct ghosts *g, const char *base, char *top, size_t size, struct cr_error *err)
{
	bool *made = &g->made[base == g->shm];

	snprintf(top, size, "%s/" GHOSTS, base);
	if (*made)
		return 0;
	if (cr_fs_remove_tree(top, err) < 0)
		return -1;
	if (mkdir(top, 0700) < 0)
		return cr_error_sys(err, errno, "a place for removed files, %s", top);
	*made = true;
	return 0;
}

/* How much of a path: its last part may be too long. */
static size_t length(const char *from)
{
	return is_long(from) ? (size_t)(strrchr(from, '/') - from) + 1 + NAME_MOST : strlen(from);
}

int ghosts_place(struct ghosts *g, const struct ghost *ghost, const char *name, char *path, size_t size,
		 struct cr_error *err)
{
	char top[PATH_MAX], dir[PATH_MAX];
	const char *from = ghosts_origin(g, name);
	int n;

	if (!ghost->base)
		return 0;
	if (top_make(g, ghost->base, top, sizeof(top), err) < 0)
		return -1;
	/* of a path that is too long its end is what matters */
	if (strlen(top) + strlen(from) + ADDED >= size)
		from = strrchr(from, '/') ? strrchr(from, '/') : "/ghost";
	n = snprintf(path, size, "%s/%u%.*s", top, ghost->id, (int)length(from), from);
	if (n < 0 || (size_t)n >= size || (size_t)n >= sizeof(dir))
		return cr_error_set(err, ENAMETOOLONG, "a removed file's name is too long");
	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return cr_fs_mkdirs(dir, 0700, err) < 0 ? -1 : 1;
}

/* ---- files without a name ---- */

static int write_all(int fd, const unsigned char *data, size_t size, uint64_t offset, struct cr_error *err)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cr_error_sys(err, n < 0 ? errno : EIO, "writing a file without a name");
		data += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int chunk_offset(const struct cr_criuimg_piece *piece, uint64_t *offset, struct cr_error *err)
{
	Criu__GhostChunkEntry *chunk = criu__ghost_chunk_entry__unpack(NULL, piece->size, piece->data);

	if (!chunk)
		return cr_error_set(err, EBADMSG, "a removed file's content makes no sense");
	*offset = chunk->off;
	criu__ghost_chunk_entry__free_unpacked(chunk, NULL);
	return 0;
}

/* Write what a piece of the image brings. */
static int fill_some(struct cr_criuimg *img, const void *data, size_t size, int fd, uint64_t *offset,
		     struct cr_error *err)
{
	const unsigned char *p = data;
	struct cr_criuimg_piece piece;
	int rc;

	while ((rc = cr_criuimg_next(img, &p, &size, &piece, err)) > 0) {
		if (piece.part == CR_CRIUIMG_ENTRY && img->entries > 1 && chunk_offset(&piece, offset, err) < 0)
			return -1;
		if (piece.part != CR_CRIUIMG_PAYLOAD)
			continue;
		if (write_all(fd, piece.data, piece.size, *offset, err) < 0)
			return -1;
		*offset += piece.size;
	}
	return rc;
}

static int fill(struct cr_image *image, const struct ghost *ghost, int fd, struct cr_error *err)
{
	struct cr_image_reader *reader;
	struct cr_criuimg img;
	char name[64];
	const void *data;
	uint64_t offset = 0;
	int64_t stream;
	size_t n;
	int rc;

	snprintf(name, sizeof(name), "images/ghost-file-%x.img", ghost->id);
	stream = cr_image_find(image, name);
	if (stream < 0 || cr_image_reader_open(&reader, image, (size_t)stream, err) < 0)
		return stream < 0 ? cr_error_set(err, ENOENT, "there is no %s", name) : -1;
	cr_criuimg_init(&img, name + strlen("images/"));
	while ((rc = cr_image_reader_next(reader, &data, &n, err)) > 0) {
		rc = fill_some(&img, data, n, fd, &offset, err);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = cr_criuimg_end(&img, err);
	cr_criuimg_clear(&img);
	cr_image_reader_close(reader);
	/* a hole at its end */
	if (rc == 0 && ghost->size > 0 && ftruncate(fd, (off_t)ghost->size) < 0)
		return cr_error_sys(err, errno, "a file without a name");
	return rc;
}

int ghosts_nameless(struct ghosts *g, size_t i, struct cr_image *image, int *fd, uint32_t *id,
		    struct cr_error *err)
{
	for (; i < g->n; i++) {
		struct ghost *ghost = &g->list[i];
		uint32_t uid, gid, mode;

		if (!ghost->dir)
			continue;
		*fd = open(ghost->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (*fd < 0)
			continue; /* a ghost, like others */
		(void)ghosts_mode(ghost, &uid, &gid, &mode);
		if (fill(image, ghost, *fd, err) < 0) {
			close(*fd);
			if (err->errnum == ENOSPC || err->errnum == EDQUOT || err->errnum == EFBIG)
				continue; /* no room there */
			return -1;
		}
		if (fchmod(*fd, mode & 07777) < 0) {
			close(*fd);
			continue;
		}
		(void)fchown(*fd, (uid_t)-1, gid);
		ghost->nameless = true;
		*id = ghost->id;
		return (int)i + 1;
	}
	return 0;
}

static bool has_group(gid_t gid)
{
	gid_t own[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, own);

	if (gid == getegid())
		return true;
	for (int i = 0; i < n; i++) {
		if (own[i] == gid)
			return true;
	}
	return false;
}

bool ghosts_mode(const struct ghost *ghost, uint32_t *uid, uint32_t *gid, uint32_t *mode)
{
	*uid = geteuid();
	*gid = has_group(ghost->gid) ? ghost->gid : getegid();
	*mode = ghost->mode | ghost->want;
	/* not the program of somebody else any more */
	if (*uid != ghost->uid || *gid != ghost->gid)
		*mode = (*mode & ~(uint32_t)(S_ISUID | S_ISGID)) | (*mode & 0070) << 3 | (*mode & 0007) << 6;
	return *uid != ghost->uid || *gid != ghost->gid || *mode != ghost->mode;
}

void ghosts_remove(void)
{
	struct cr_error ignored;

	(void)cr_fs_remove_tree(TMP "/" GHOSTS, &ignored);
	(void)cr_fs_remove_tree(SHM "/" GHOSTS, &ignored);
}
