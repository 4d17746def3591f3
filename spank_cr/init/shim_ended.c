/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_ended.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* A number of at most max, without a sign, and the character behind it. NULL when there is none. */
static const char *number(const char *at, long max, char behind, long *value)
{
	char *end;

	if (*at < '0' || *at > '9')
		return NULL;
	*value = strtol(at, &end, 10);
	return *value <= max && *end == behind ? end + 1 : NULL;
}

int shim_ended_parse(const char *text, struct shim_ended *list, size_t max)
{
	size_t n = 0;

	while (*text) {
		long pid, status;

		text = number(text, INT_MAX, ' ', &pid);
		if (text)
			text = number(text, 0xffff, '\n', &status);
		if (!text || pid == 0 || n == max || (!WIFEXITED(status) && !WIFSIGNALED(status)))
			return -1;
		list[n++] = (struct shim_ended){.pid = (pid_t)pid, .status = (int)status};
	}
	return (int)n;
}

const struct shim_ended *shim_ended_find(const struct shim_ended *list, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].pid == pid)
			return &list[i];
	}
	return NULL;
}

/* criu keeps seven bits of an exit status */
int shim_ended_is_exit(int status, int argument)
{
	return WIFEXITED(status) && argument == (WEXITSTATUS(status) & 0x7f);
}

/* criu takes a signal that it does not count among the deadly ones, such as those of real time, for an abort */
int shim_ended_is_kill(int status, int argument)
{
	return WIFSIGNALED(status) && (argument == WTERMSIG(status) || argument == SIGABRT);
}
