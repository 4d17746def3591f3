/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "signame.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	int number;
} names[] = {
	{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"ABRT", SIGABRT}, {"KILL", SIGKILL},
	{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"ALRM", SIGALRM},   {"TERM", SIGTERM}, {"CONT", SIGCONT},
	{"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU}, {"URG", SIGURG},
	{"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR},
};

/* n digits of text, -1 when they are anything else or too many. */
static int digits_read(const char *text, size_t n)
{
	int value = 0;

	if (n == 0 || n > 3)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* The signal that n bytes of text mean, or 0. */
static int name_read(const char *text, size_t n)
{
	int number = digits_read(text, n);

	if (number >= 0)
		return number <= SIGRTMAX ? number : 0;
	if (n > 3 && strncasecmp(text, "SIG", 3) == 0) {
		text += 3;
		n -= 3;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) == n && strncasecmp(names[i].name, text, n) == 0)
			return names[i].number;
	}
	return 0;
}

static int signal_read(const char *text, size_t n, int *number, struct cr_error *err)
{
	*number = name_read(text, n);
	if (*number == 0)
		return cr_error_set(err, EINVAL, "\"%.*s\" is no signal (write USR1, SIGUSR1 or 10)",
				    (int)(n > 32 ? 32 : n), text);
	if (*number == SIGKILL || *number == SIGSTOP)
		return cr_error_set(err, EINVAL, "\"%.*s\" cannot be caught by a program", (int)n, text);
	return 0;
}

int cr_signal_parse(struct cr_signal *signal, const char *text, struct cr_error *err)
{
	struct cr_signal s = {.lead = CR_SIGNAL_LEAD};
	size_t length = strcspn(text, "@"), first = strcspn(text, ",@");

	if (text[length] == '@') {
		s.lead = digits_read(text + length + 1, strlen(text + length + 1));
		if (s.lead < 0 || s.lead > CR_SIGNAL_LEAD_MAX)
			return cr_error_set(err, ERANGE, "after @ there must be seconds from 0 to %d",
					    CR_SIGNAL_LEAD_MAX);
	}
	if (signal_read(text, first, &s.before, err) < 0)
		return -1;
	s.after = s.before;
	if (first < length && signal_read(text + first + 1, length - first - 1, &s.after, err) < 0)
		return -1;
	*signal = s;
	return 0;
}
