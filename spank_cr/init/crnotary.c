/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crnotary JOB UID PART - seals manifests of one job with munge, at the other end of a socket on descriptor 0
 *
 * Runs with root's uid, so that the credential says uid 0, and with nothing else of root's: no capability, now or
 * after an exec. What it puts its name to is typed and says which job; only the digest comes from crinit.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "notary.h"
#include "seal.h"

static int request_serve(uint32_t job, uint32_t uid, const char *part, struct notary_request *request,
			 struct notary_reply *reply)
{
	char payload[CR_SEAL_PAYLOAD];
	cleanup_free char *credential = NULL;
	struct cr_error err;

	memset(reply, 0, sizeof(*reply));
	request->hash[sizeof(request->hash) - 1] = '\0';
	reply->request = *request;
	if (strlen(request->hash) != CR_HASH_HEX - 1 ||
	    strspn(request->hash, "0123456789abcdef") != CR_HASH_HEX - 1)
		snprintf(reply->text, sizeof(reply->text), "not a digest");
	else if (cr_seal_payload(job, uid, part, request->generation, request->hash, payload, &err) < 0 ||
		 cr_seal_make(payload, &credential, &err) < 0)
		snprintf(reply->text, sizeof(reply->text), "%s", err.text);
	else if (strlen(credential) >= sizeof(reply->text))
		snprintf(reply->text, sizeof(reply->text), "the credential is too long");
	else {
		reply->ok = 1;
		snprintf(reply->text, sizeof(reply->text), "%s", credential);
	}
	return send(0, reply, sizeof(*reply), MSG_NOSIGNAL) == (ssize_t)sizeof(*reply) ? 0 : -1;
}

int main(int argc, char *argv[])
{
	static struct notary_reply reply;
	struct notary_request request;
	struct cr_error err;
	sigset_t all;

	if (argc != 4) {
		fprintf(stderr, "crnotary: started by spank_cr.so only\n");
		return 2;
	}
	/* what Slurm sends to the step is not for us; SIGKILL and the end of the socket are */
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || cr_caps_shield(&err) < 0)
		return 1;
	/* nothing but the socket: in particular none of the job's own files */
	if (close(1) < 0 || close(2) < 0 || chdir("/") < 0)
		return 1;
	while (recv(0, &request, sizeof(request), 0) == (ssize_t)sizeof(request)) {
		if (request_serve((uint32_t)strtoul(argv[1], NULL, 10), (uint32_t)strtoul(argv[2], NULL, 10),
				  argv[3], &request, &reply) < 0)
			break;
	}
	return 0;
}
