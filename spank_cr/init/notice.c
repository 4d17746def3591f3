/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "notice.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

void notice_read(const struct job *job, char *buf, size_t size)
{
	cleanup_close int fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t from = st.st_size > (off_t)size - 1 ? st.st_size - ((off_t)size - 1) : 0;

		n = pread(fd, buf, size - 1, from > job->notice_from ? from : job->notice_from);
	}
	buf[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\0')
			buf[i] = ' ';
	}
}

const char *notice_reason(const char *text)
{
	static const struct {
		const char *words, *reason;
	} notices[] = {
		{"DUE TO PREEMPTION", "preempt"},
		{"DUE TO JOB REQUEUE", "requeue"},
		{"DUE TO TIME LIMIT", "timelimit"},
		{"DUE TO NODE FAILURE", "nodefail"},
	};
	const char *last = NULL, *reason = NULL;

	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		for (const char *at = text; (at = strstr(at, notices[i].words)); at++) {
			if (!last || at > last) {
				last = at;
				reason = notices[i].reason;
			}
		}
	}
	return reason;
}

int notice_find(const char *text, size_t size, uint32_t job, size_t *start, size_t *end)
{
	static const char name[] = "slurmstepd", close[] = " ***\n";
	char mark[48];
	const char *at, *stop, *from = NULL;

	snprintf(mark, sizeof(mark), ": error: *** JOB %u ON ", job);
	at = memmem(text, size, mark, strlen(mark));
	if (!at)
		return 0;
	stop = memmem(at, size - (size_t)(at - text), close, strlen(close));
	/* the nearest "slurmstepd" before it, on the same line; the program's own half line may stand in front */
	for (const char *p = at; p >= text && at - p < 300 && *p != '\n'; p--) {
		if ((size_t)(at - p) >= strlen(name) && memcmp(p, name, strlen(name)) == 0) {
			from = p;
			break;
		}
	}
	if (!stop || !from)
		return 0;
	*start = (size_t)(from - text);
	*end = (size_t)(stop - text) + strlen(close);
	return 1;
}
