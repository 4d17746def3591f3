/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* content.h - put content into a file that may hold it already: compare, and write only what differs */

#ifndef CR_CONTENT_H
#define CR_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct cr_content {
	int fd;		  /* readable and writable */
	uint64_t at;	  /* up to here it is as it should be */
	uint64_t end;	  /* bytes the file had at the beginning */
	uint64_t written; /* bytes that differed */
	char *buffer;
};

int cr_content_open(struct cr_content *c, int fd, struct cr_error *err);

/* size bytes at offset, which ascends; what lies between the last ones and these becomes a hole, or zeros. */
int cr_content_put(struct cr_content *c, uint64_t offset, const void *data, size_t size, struct cr_error *err);

/* From here on a hole; the file has size bytes. */
int cr_content_end(struct cr_content *c, uint64_t size, struct cr_error *err);
void cr_content_close(struct cr_content *c);

#endif
