/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* as_user.c - the command line that runs something under another user's ids */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

#ifndef CR_SETPRIV
#define CR_SETPRIV "/usr/bin/setpriv"
#endif

int cli_as_user(uid_t uid, gid_t gid, struct cli_as *buf, const char *argv[CLI_AS_ARGS], struct cr_error *err)
{
	ssize_t length = readlink("/proc/self/exe", buf->self, sizeof(buf->self) - 1);

	if (length < 0)
		return cr_error_sys(err, errno, "/proc/self/exe");
	buf->self[length] = '\0';
	snprintf(buf->uid, sizeof(buf->uid), "--reuid=%u", (unsigned int)uid);
	snprintf(buf->gid, sizeof(buf->gid), "--regid=%u", (unsigned int)gid);
	argv[0] = CR_SETPRIV;
	argv[1] = buf->uid;
	argv[2] = buf->gid;
	argv[3] = "--init-groups";
	argv[4] = "--inh-caps=-all";
	argv[5] = "--no-new-privs";
	argv[6] = "--";
	argv[7] = buf->self;
	return 0;
}
