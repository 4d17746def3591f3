/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "notary.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "seal.h"

#define PATIENCE_MS 30000

int notary_seal(const struct job *job, uint32_t generation, const char *manifest, size_t size, char **seal,
		struct cr_error *err)
{
	struct pollfd p = {.fd = job->notary, .events = POLLIN};
	struct notary_request request = {.generation = generation};
	struct notary_reply reply;

	*seal = NULL;
	memset(&reply, 0, sizeof(reply));
	/* answers to a worker that was ended before it read them */
	while (recv(job->notary, &reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
	if (cr_hash_data(manifest, size, request.hash, err) < 0)
		return -1;
	/* nobody can start another: what started this one has given up what that takes */
	if (send(job->notary, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		return errno == EPIPE ? cr_error_set(err, EPIPE, "the notary is gone")
				      : cr_error_sys(err, errno, "asking the notary for a seal");
	do {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			return cr_error_set(err, ETIMEDOUT,
					    "the notary did not answer within 30 s: is munged running?");
		if (recv(job->notary, &reply, sizeof(reply), 0) != (ssize_t)sizeof(reply))
			return cr_error_set(err, EPIPE, "the notary is gone");
	} while (reply.request.generation != generation ||
		 memcmp(reply.request.hash, request.hash, CR_HASH_HEX) != 0);
	reply.text[sizeof(reply.text) - 1] = '\0';
	if (!reply.ok)
		return cr_error_set(err, EIO, "sealing the manifest: %.600s", reply.text);
	*seal = strdup(reply.text);
	return *seal ? 0 : cr_error_sys(err, ENOMEM, "the seal");
}

int notary_check(const struct job *job, uint32_t generation, const char *dir, struct cr_error *err)
{
	char path[PATH_MAX + 32], payload[CR_SEAL_PAYLOAD], hash[CR_HASH_HEX];
	cleanup_free char *seal = NULL;
	size_t size;

	snprintf(path, sizeof(path), "%s/manifest.json", dir);
	if (cr_hash_file(path, hash, NULL, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/manifest.seal", dir);
	if (cr_fs_read(path, NOTARY_CREDENTIAL, &seal, &size, err) < 0 ||
	    cr_seal_payload(job->id, getuid(), job->part, generation, hash, payload, err) < 0)
		return -1;
	if (cr_seal_check(seal, payload, err) < 0)
		return cr_error_prefix(err, "%s", path);
	return 0;
}
