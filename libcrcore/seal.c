/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <munge.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "manifest.h"

/* Of the text that is sealed. The manifest's own format is under its hash. */
#define SEAL_FORMAT 1

static void cleanup_munge_ctx(munge_ctx_t *ctx)
{
	if (*ctx)
		munge_ctx_destroy(*ctx);
}

#define cleanup_munge __attribute__((cleanup(cleanup_munge_ctx)))

/* libmunge writes to a munged that hangs up, as a busy one does, and would have us ended by SIGPIPE. */
struct quiet {
	sigset_t only, before;
	bool pending;
};

static void quiet_begin(struct quiet *q)
{
	sigset_t pending;

	sigemptyset(&q->only);
	sigaddset(&q->only, SIGPIPE);
	q->pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &q->only, &q->before);
}

static void quiet_end(const struct quiet *q)
{
	const struct timespec now = {0};

	if (!q->pending)
		(void)sigtimedwait(&q->only, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &q->before, NULL);
}

/* The context's message is the better one: it names the socket, and asks whether munged runs. */
static int seal_error(munge_ctx_t ctx, munge_err_t error, const char *what, struct cr_error *err)
{
	const char *text = munge_ctx_strerror(ctx);
	bool daemon = error == EMUNGE_SOCKET || error == EMUNGE_TIMEOUT;

	return cr_error_set(err, daemon ? ECONNREFUSED : EBADMSG, "cannot %s the seal: munge: %s", what,
			    text ? text : munge_strerror(error));
}

int cr_seal_payload(uint32_t job, uint32_t uid, const char *part, uint32_t generation,
		    const char hash[CR_HASH_HEX], char buf[CR_SEAL_PAYLOAD], struct cr_error *err)
{
	int length;

	/* a blank in a field could be read as another field */
	if (!cr_manifest_part_ok(part))
		return cr_error_set(err, EINVAL, "cannot seal: \"%s\" is no name of a part", part ? part : "");
	if (strnlen(hash, CR_HASH_HEX) != CR_HASH_HEX - 1 || strspn(hash, "0123456789abcdef") != CR_HASH_HEX - 1)
		return cr_error_set(err, EINVAL, "cannot seal: no BLAKE2b-256 hash");
	length = snprintf(buf, CR_SEAL_PAYLOAD,
			  "spank_cr manifest %d job=%" PRIu32 " uid=%" PRIu32 " part=%s generation=%" PRIu32
			  " blake2b=%s",
			  SEAL_FORMAT, job, uid, part, generation, hash);
	if (length < 0 || length >= CR_SEAL_PAYLOAD)
		return cr_error_sys(err, EOVERFLOW, "cannot seal");
	return 0;
}

int cr_seal_make(const char *payload, char **credential, struct cr_error *err)
{
	cleanup_munge munge_ctx_t ctx = munge_ctx_create();
	munge_err_t error;
	struct quiet quiet;

	if (!ctx)
		return cr_error_sys(err, ENOMEM, "cannot make the seal");
	quiet_begin(&quiet);
	error = munge_encode(credential, ctx, payload, (int)strlen(payload));
	quiet_end(&quiet);
	if (error != EMUNGE_SUCCESS)
		return seal_error(ctx, error, "make", err);
	return 0;
}

int cr_seal_check(const char *credential, const char *payload, struct cr_error *err)
{
	cleanup_munge munge_ctx_t ctx = munge_ctx_create();
	cleanup_free void *text = NULL;
	munge_err_t error;
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	struct quiet quiet;
	int length = 0;

	if (!ctx)
		return cr_error_sys(err, ENOMEM, "cannot check the seal");
	quiet_begin(&quiet);
	error = munge_decode(credential, ctx, &text, &length, &uid, &gid);
	quiet_end(&quiet);
	/* munged has verified the signature before it says either of these, and a checkpoint is meant to be
	 * read late and often */
	if (error != EMUNGE_SUCCESS && error != EMUNGE_CRED_EXPIRED && error != EMUNGE_CRED_REWOUND &&
	    error != EMUNGE_CRED_REPLAYED)
		return seal_error(ctx, error, "check", err);
	if (uid != 0)
		return cr_error_set(err, EPERM,
				    "the seal was made by uid %u, not by root: the checkpoint is not ours",
				    (unsigned int)uid);
	if (length < 0 || (size_t)length != strlen(payload) || !text || memcmp(text, payload, (size_t)length) != 0)
		return cr_error_set(err, EBADMSG, "the seal is that of another manifest");
	return 0;
}
