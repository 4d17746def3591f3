/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "cleanup.h"

#define HASH_BYTES  ((CR_HASH_HEX - 1) / 2)
#define HASH_BUFFER (1u << 20)

static int hash_start(crypto_generichash_state *state, struct cr_error *err)
{
	if (sodium_init() < 0)
		return cr_error_set(err, EIO, "libsodium does not start");
	if (crypto_generichash_init(state, NULL, 0, HASH_BYTES) < 0)
		return cr_error_set(err, EIO, "libsodium has no BLAKE2b");
	return 0;
}

static int hash_end(crypto_generichash_state *state, char hex[CR_HASH_HEX], struct cr_error *err)
{
	unsigned char digest[HASH_BYTES];

	if (crypto_generichash_final(state, digest, sizeof(digest)) < 0)
		return cr_error_set(err, EIO, "BLAKE2b fails");
	(void)sodium_bin2hex(hex, CR_HASH_HEX, digest, sizeof(digest));
	return 0;
}

static int hash_fd(int fd, crypto_generichash_state *state, uint64_t *total, struct cr_error *err)
{
	cleanup_free unsigned char *buf = malloc(HASH_BUFFER);
	ssize_t n;

	if (!buf)
		return cr_error_sys(err, ENOMEM, "hash");
	while ((n = read(fd, buf, HASH_BUFFER)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "read");
		if (crypto_generichash_update(state, buf, (unsigned long long)n) < 0)
			return cr_error_set(err, EIO, "BLAKE2b fails");
		*total += (uint64_t)n;
	}
	return 0;
}

int cr_hash_file(const char *path, char hex[CR_HASH_HEX], uint64_t *size, struct cr_error *err)
{
	/* a planted link must not lead away, and a planted FIFO not block */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	crypto_generichash_state state;
	uint64_t total = 0;
	struct stat st;

	if (fd < 0)
		return cr_error_sys(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, EINVAL, "%s is not a regular file", path);
	if (hash_start(&state, err) < 0 || hash_fd(fd, &state, &total, err) < 0 || hash_end(&state, hex, err) < 0)
		return cr_error_prefix(err, "%s", path);
	if (size)
		*size = total;
	return 0;
}

int cr_hash_data(const void *data, size_t size, char hex[CR_HASH_HEX], struct cr_error *err)
{
	crypto_generichash_state state;

	if (hash_start(&state, err) < 0)
		return -1;
	if (size > 0 && crypto_generichash_update(&state, data, size) < 0)
		return cr_error_set(err, EIO, "BLAKE2b fails");
	return hash_end(&state, hex, err);
}
