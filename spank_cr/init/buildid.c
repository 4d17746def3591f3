/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "buildid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gelf.h>

#include "cleanup.h"

#define NOTES_MAX  (1u << 20) /* bytes of one segment of notes */
#define SEGMENTS   512
#define ELF_LEAST  52 /* bytes of the smaller of the two ELF headers */
#define DIGEST_MAX ((sizeof(((struct cr_fit_file *)0)->build_id) - 1) / 2)

static void hex_write(const unsigned char *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

/* Returns whether one of the notes is the build id. */
static bool notes_search(Elf_Data *data, char *text)
{
	size_t offset = 0, name, desc;
	GElf_Nhdr note;

	while ((offset = gelf_getnote(data, offset, &note, &name, &desc)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    note.n_descsz == 0 || note.n_descsz > DIGEST_MAX ||
		    memcmp((const char *)data->d_buf + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0)
			continue;
		hex_write((const unsigned char *)data->d_buf + desc, note.n_descsz, text);
		return true;
	}
	return false;
}

/* By segments, as what was loaded is described by them; sections may have been stripped off. */
static void elf_search(Elf *elf, char *text)
{
	size_t n = 0;

	if (elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &n) < 0)
		return;
	for (size_t i = 0; i < n && i < SEGMENTS; i++) {
		Elf_Data *data;
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_NOTE || p.p_filesz > NOTES_MAX)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)p.p_offset, p.p_filesz,
					    p.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (data && notes_search(data, text))
			return;
	}
}

static int file_open(const char *path)
{
	return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The user's own, which has been closed since the job runs it: for this moment it may be read. */
static int closed_open(const char *path)
{
	cleanup_close int handle = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
	if (handle < 0 || fstat(handle, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & S_IRUSR) || chmod(link, (st.st_mode & 07777) | S_IRUSR) < 0)
		return -1;
	fd = file_open(path);
	(void)chmod(link, st.st_mode & 07777);
	return fd;
}

void buildid_file(const char *path, struct cr_fit_file *file, void *arg)
{
	cleanup_close int fd = file_open(path);
	struct stat st;
	Elf *elf;

	(void)arg;
	memset(file, 0, sizeof(*file));
	if (fd < 0 && errno == EACCES)
		fd = closed_open(path);
	/* a program may be there to be executed and not to be read */
	if ((fd >= 0 ? fstat(fd, &st) : lstat(path, &st)) < 0 || !S_ISREG(st.st_mode))
		return;
	file->found = true;
	file->size = (uint64_t)st.st_size;
	file->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	if (file->mtime_ns < 0)
		file->mtime_ns = 0; /* as a manifest has it */
	if (fd < 0 || st.st_size < ELF_LEAST || elf_version(EV_CURRENT) == EV_NONE)
		return;
	/* ELF_C_READ, not mapped: a file that is cut meanwhile must not end us by SIGBUS */
	elf = elf_begin(fd, ELF_C_READ, NULL);
	elf_search(elf, file->build_id);
	(void)elf_end(elf);
}
