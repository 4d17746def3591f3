/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "control.h"
#include "output.h"
#include "runtime.h"

#define STARTED CR_RUN_HOME "/started"
#define ASKED	CR_RUN_HOME "/asked"
#define LOOK_MS 100

/* A link's text; nothing is open meanwhile, as this process may be frozen at any moment. "" when there is none. */
static void link_read(const char *path, char buf[PATH_MAX])
{
	ssize_t n = readlink(path, buf, PATH_MAX - 1);

	buf[n > 0 ? n : 0] = '\0';
}

/* The variable SLURM_JOB_ID would not do: a restored process may have another job's. */
bool inside_is(const struct target *target)
{
	char text[PATH_MAX];
	uint32_t job;

	link_read(STARTED, text);
	return sscanf(text, "%" SCNu32, &job) == 1 && job == target->job && !target->is_task;
}

static int report(const struct cli *cli, uint32_t job, const char *state, uint32_t generation, int64_t freeze_ms,
		  struct cr_error *err)
{
	if (cli->json) {
		json_auto_t *reply =
			json_pack("{s:b, s:I, s:I, s:I, s:s}", "ok", 1, "job", (json_int_t)job, "generation",
				  (json_int_t)generation, "freeze_ms", (json_int_t)freeze_ms, "state", state);

		return reply ? output_json(reply, err) : cr_error_sys(err, ENOMEM, "answer");
	}
	if (freeze_ms >= 0)
		printf("job %" PRIu32 ": generation %" PRIu32 " committed, frozen %" PRId64 " ms\n", job,
		       generation, freeze_ms);
	else
		printf("job %" PRIu32 ": goes on from generation %" PRIu32 "\n", job, generation);
	return 0;
}

/* What crinit says of the requests up to turn. Returns 1 when it has said it, 0 when it has not yet. */
static int answer_read(const struct cli *cli, unsigned turn, struct cr_error *err)
{
	char text[PATH_MAX];
	unsigned said;
	uint32_t generation;
	int64_t ms;
	int at = 0;

	link_read(ASKED, text);
	if (sscanf(text, "%u %n", &said, &at) != 1 || said < turn)
		return 0;
	if (sscanf(text + at, "ok %" SCNu32 " %" SCNd64, &generation, &ms) == 2)
		return report(cli, cli->target.job, "committed", generation, ms, err) < 0 ? -1 : 1;
	return cr_error_set(err, EIO, "job %" PRIu32 ": %s", cli->target.job,
			    strncmp(text + at, "error ", 6) == 0 ? text + at + 6 : "no checkpoint");
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int inside_create(const struct cli *cli, struct cr_error *err)
{
	const int64_t end = now_ms() + (int64_t)cli->timeout * 1000;
	json_auto_t *reply = NULL;
	char before[PATH_MAX], now[PATH_MAX];
	unsigned turn;
	int rc = 0;

	link_read(STARTED, before);
	/* the connection is closed when this returns: crinit waits for that before it begins */
	if (control_local(cli->target.job, "create-later", cli->deadline, &reply, err) < 0)
		return -1;
	if (json_is_false(json_object_get(reply, "ok")))
		return cr_error_set(err, EIO, "job %" PRIu32 ": %s", cli->target.job,
				    json_string_value(json_object_get(reply, "error")));
	turn = (unsigned)json_integer_value(json_object_get(reply, "turn"));
	while (rc == 0) {
		uint32_t job, generation;

		poll(NULL, 0, LOOK_MS);
		link_read(STARTED, now);
		if (strcmp(before, now) != 0 && sscanf(now, "%" SCNu32 " %*u %" SCNu32, &job, &generation) == 2)
			return report(cli, job, "restored", generation, -1, err);
		rc = answer_read(cli, turn, err);
		if (rc == 0 && now_ms() > end)
			return cr_error_set(err, ETIMEDOUT,
					    "job %" PRIu32
					    ": no answer within %d s; scheckpoint list shows what came of it",
					    cli->target.job, cli->timeout);
	}
	return rc < 0 ? -1 : 0;
}
