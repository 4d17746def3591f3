/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* reg_files.h - criu's list of open files, without the sizes and modes that some had
 *
 * criu refuses to restore a regular file that has another size or mode than at the dump, when its entry says which
 * that was; both are optional there. For --checkpoint-files=keep the image reader hands over the image without
 * them. (images/regfile.proto, images/fdinfo.proto and criu/files-reg.c of CRIU)
 */

#ifndef CR_INIT_REG_FILES_H
#define CR_INIT_REG_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define REG_FILES_STREAM "images/files.img"
#define REG_FILES_MAX	 (256u << 20) /* bytes of it; ten thousand descriptors make one or two millions */

/* Rewrite the image in place, for the files that match (name is no string: it has n bytes). *size becomes smaller.
 * Whatever is no such image is EBADMSG. */
int reg_files_forget(void *image, size_t *size, bool (*match)(const char *name, size_t n, void *arg), void *arg,
		     struct cr_error *err);

#endif
