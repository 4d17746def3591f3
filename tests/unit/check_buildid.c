/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <elf.h>

#include "../../spank_cr/init/buildid.h"

/* The least ELF file with a build id: header, one program header, two notes. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	struct {
		Elf64_Nhdr head;
		char name[8];
		unsigned char desc[8];
	} other;
	struct {
		Elf64_Nhdr head;
		char name[4];
		unsigned char desc[20];
	} id;
};

static const char digits[] = "00070e151c232a31383f464d545b626970777e85";

static struct image image_make(void)
{
	struct image i = {0};

	memcpy(i.header.e_ident, ELFMAG, SELFMAG);
	i.header.e_ident[EI_CLASS] = ELFCLASS64;
	i.header.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	i.header.e_ident[EI_VERSION] = EV_CURRENT;
	i.header.e_type = ET_DYN;
	i.header.e_machine = EM_X86_64;
	i.header.e_version = EV_CURRENT;
	i.header.e_phoff = offsetof(struct image, segment);
	i.header.e_ehsize = sizeof(Elf64_Ehdr);
	i.header.e_phentsize = sizeof(Elf64_Phdr);
	i.header.e_phnum = 1;
	i.segment.p_type = PT_NOTE;
	i.segment.p_offset = offsetof(struct image, other);
	i.segment.p_filesz = sizeof(struct image) - offsetof(struct image, other);
	i.segment.p_align = 4;
	i.other.head = (Elf64_Nhdr){.n_namesz = 5, .n_descsz = 8, .n_type = NT_GNU_BUILD_ID};
	memcpy(i.other.name, "Else", 5);
	i.id.head = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
	memcpy(i.id.name, "GNU", 4);
	for (unsigned k = 0; k < 20; k++)
		i.id.desc[k] = (unsigned char)(7 * k);
	return i;
}

static struct cr_fit_file look(const char *path)
{
	struct cr_fit_file file;

	memset(&file, 0x55, sizeof(file));
	buildid_file(path, &file, NULL);
	return file;
}

static struct cr_fit_file look_image(const struct image *image, size_t size)
{
	return look(unit_write_bytes("file", image, size));
}

START_TEST(good)
{
	struct image i = image_make();
	struct cr_fit_file file = look_image(&i, sizeof(i));

	ck_assert(file.found);
	ck_assert_uint_eq(file.size, sizeof(i));
	ck_assert_int_gt(file.mtime_ns, 0);
	ck_assert_str_eq(file.build_id, digits);
}
END_TEST

/* Its owner has closed it since the job runs it: that makes it no other program. */
START_TEST(closed)
{
	struct image i = image_make();
	const char *path;
	struct stat st;

	unit_drop_root();
	path = unit_write_bytes("image", &i, sizeof(i));
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_str_eq(look(path).build_id, digits);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0);
}
END_TEST

START_TEST(a_real_one)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct cr_fit_file file;

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	file = look(path);
	ck_assert(file.found);
	/* whether the linker makes one is its business; an odd one would be ours */
	ck_assert_uint_eq(strlen(file.build_id) % 2, 0);
}
END_TEST

START_TEST(truncated)
{
	struct image i = image_make();

	for (size_t size = 0; size < sizeof(i); size++) {
		struct cr_fit_file file = look_image(&i, size);

		ck_assert(file.found);
		ck_assert_uint_eq(file.size, size);
		ck_assert_msg(!*file.build_id, "%s of %zu bytes", file.build_id, size);
	}
}
END_TEST

START_TEST(absurd_numbers)
{
	static const uint64_t numbers[] = {0,
					   1,
					   3,
					   0xffff,
					   1u << 20,
					   (1u << 20) + 1,
					   0x7fffffff,
					   0xffffffff,
					   0x7fffffffffffffff,
					   0xffffffffffffffff};

	for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
		for (int field = 0; field < 8; field++) {
			struct image i = image_make();

			if (field == 0)
				i.segment.p_filesz = numbers[k];
			else if (field == 1)
				i.segment.p_offset = numbers[k];
			else if (field == 2)
				i.other.head.n_descsz = (uint32_t)numbers[k];
			else if (field == 3)
				i.other.head.n_namesz = (uint32_t)numbers[k];
			else if (field == 4)
				i.id.head.n_descsz = (uint32_t)numbers[k];
			else if (field == 5)
				i.header.e_phoff = numbers[k];
			else if (field == 6)
				i.header.e_phentsize = (uint16_t)numbers[k];
			else
				i.header.e_shoff = numbers[k];
			/* which of them libelf bears with is its business: no crash, no half an id */
			ck_assert_uint_eq(strlen(look_image(&i, sizeof(i)).build_id) % 2, 0);
		}
	}
}
END_TEST

START_TEST(too_long)
{
	struct image i = image_make();

	/* an id of 65 bytes does not fit, one of none is none */
	i.id.head.n_descsz = 65;
	i.segment.p_filesz += 45;
	ck_assert_str_eq(look_image(&i, sizeof(i)).build_id, "");
	i = image_make();
	i.id.head.n_descsz = 0;
	ck_assert_str_eq(look_image(&i, sizeof(i)).build_id, "");
	/* another's note of that type */
	i = image_make();
	memcpy(i.id.name, "GNV", 4);
	ck_assert_str_eq(look_image(&i, sizeof(i)).build_id, "");
}
END_TEST

START_TEST(no_elf_file)
{
	char noise[8192];

	for (size_t k = 0; k < sizeof(noise); k++)
		noise[k] = (char)(k * 131 + k / 7);
	ck_assert_str_eq(look(unit_write_bytes("noise", noise, sizeof(noise))).build_id, "");
	memcpy(noise, ELFMAG, SELFMAG);
	ck_assert_str_eq(look(unit_write_bytes("noise", noise, sizeof(noise))).build_id, "");
	memcpy(noise, "!<arch>\n", 8);
	ck_assert_str_eq(look(unit_write_bytes("noise", noise, sizeof(noise))).build_id, "");
	ck_assert(look(unit_write("script", "#!/bin/sh\n")).found);
	ck_assert(look(unit_write("empty", "")).found);
}
END_TEST

START_TEST(no_file)
{
	ck_assert(!look(unit_path("nothing")).found);
	ck_assert_int_eq(mkdir(unit_path("directory"), 0700), 0);
	ck_assert(!look(unit_path("directory")).found);
	/* must not wait for somebody who writes */
	ck_assert_int_eq(mkfifo(unit_path("fifo"), 0600), 0);
	ck_assert(!look(unit_path("fifo")).found);
	ck_assert(!look("/dev/null").found);
	ck_assert_int_eq(symlink("file", unit_path("link")), 0);
	(void)unit_write("file", "x");
	ck_assert(!look(unit_path("link")).found);
}
END_TEST

START_TEST(not_readable)
{
	struct image i = image_make();
	const char *path = unit_write_bytes("file", &i, sizeof(i));
	struct cr_fit_file file;

	/* the user's own is opened up, see closed */
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(path, 0711), 0);
	unit_drop_root();
	/* executed it can be, by its size and time it is known */
	file = look(path);
	ck_assert(file.found);
	ck_assert_uint_eq(file.size, sizeof(i));
	ck_assert_str_eq(file.build_id, "");
}
END_TEST

UNIT_MAIN("buildid", {good, true}, {closed, true}, {a_real_one, false}, {truncated, true}, {absurd_numbers, true},
	  {too_long, true}, {no_elf_file, true}, {no_file, true}, {not_readable, true})
