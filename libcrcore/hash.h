/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* hash.h - BLAKE2b-256 (libsodium) of files and buffers, as lower-case hex */

#ifndef CR_HASH_H
#define CR_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_HASH_HEX 65 /* 64 digits and NUL */

/* Hash a regular file; *size (may be NULL) gets the bytes read. */
int cr_hash_file(const char *path, char hex[CR_HASH_HEX], uint64_t *size, struct cr_error *err);

int cr_hash_data(const void *data, size_t size, char hex[CR_HASH_HEX], struct cr_error *err);

#endif
