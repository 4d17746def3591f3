/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slurm/spank.h>

#include "options.h"
#include "wire.h"

static sigset_t mask_before;

int relay_init(struct relay *relay, struct cr_error *err)
{
	sigset_t all;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &mask_before) < 0)
		return cr_error_sys(err, errno, "sigprocmask");
	/* the end of a child shows as the end of its socket */
	sigdelset(&all, SIGCHLD);
	relay->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (relay->signals < 0) {
		cr_error_sys(err, errno, "signalfd");
		relay_restore_mask();
		return -1;
	}
	return 0;
}

void relay_restore_mask(void)
{
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static void signals_pass(struct relay *relay)
{
	struct signalfd_siginfo info;

	while (read(relay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct cr_error err;

		if (cr_wire_send(relay->wire, CR_WIRE_SIGNAL, (int)info.ssi_signo, NULL, &err) < 0)
			slurm_error(LOG "signal %u did not reach the job: %s", info.ssi_signo, err.text);
	}
}

static void line_log(const struct cr_wire *message)
{
	if (message->value <= 0)
		slurm_error(LOG "%s", message->text);
	else if (message->value == 1)
		slurm_info(LOG "%s", message->text);
	else
		slurm_debug(LOG "%s", message->text);
}

/* The next message that is not a log line. Returns as cr_wire_receive. */
static int message_wait(struct relay *relay, struct cr_wire *message, struct cr_error *err)
{
	struct pollfd fds[] = {{.fd = relay->signals, .events = POLLIN}, {.fd = relay->wire, .events = POLLIN}};

	for (;;) {
		int rc;

		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return cr_error_sys(err, errno, "poll");
		}
		if (fds[0].revents)
			signals_pass(relay);
		if (!fds[1].revents)
			continue;
		rc = cr_wire_receive(relay->wire, message, err);
		if (rc != 1 || message->type != CR_WIRE_LOG)
			return rc;
		line_log(message);
	}
}

static void reap(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

_Noreturn void relay_end(int status)
{
	if (WIFSIGNALED(status)) {
		const struct rlimit none = {0, 0};
		int sig = WTERMSIG(status);
		sigset_t only;

		/* by the same signal, without a second core */
		setrlimit(RLIMIT_CORE, &none);
		signal(sig, SIG_DFL);
		sigemptyset(&only);
		sigaddset(&only, sig);
		sigprocmask(SIG_UNBLOCK, &only, NULL);
		kill(getpid(), sig);
		_exit(128 + sig);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static _Noreturn void fenced(struct relay *relay)
{
	close(relay->wire);
	reap(relay->crinit);
	relay_end(SIGKILL);
}

int relay_wait_started(struct relay *relay, struct cr_error *err)
{
	struct cr_wire message;
	int rc = message_wait(relay, &message, err);

	if (rc == 1 && message.type == CR_WIRE_STARTED)
		return 0;
	relay->blame = CR_BLAME_NODE;
	if (rc == 1 && message.type == CR_WIRE_FAILED) {
		relay->blame = (enum cr_blame)message.value;
		cr_error_set(err, EIO, "%s", message.text);
		/* nothing else is tried: the files are the newer start's, the one for a line of this among them */
		if (relay->blame == CR_BLAME_FENCED)
			fenced(relay);
	} else if (rc == 0)
		cr_error_set(err, ECHILD, "crinit ended without a word");
	else if (rc == 1)
		cr_error_set(err, EPROTO, "crinit sent a message of type %u", message.type);
	return -1;
}

_Noreturn void relay_run(struct relay *relay)
{
	struct cr_wire message;
	struct cr_error err;
	int status = SIGKILL; /* when crinit goes without a word, the kernel has killed the tree */

	for (;;) {
		int rc = message_wait(relay, &message, &err);

		if (rc == 1 && message.type == CR_WIRE_EXIT) {
			status = message.value;
			break;
		}
		if (rc == 0) {
			slurm_error(LOG "crinit is gone, and with it the job's processes");
			break;
		}
		if (rc < 0)
			slurm_error(LOG "%s", err.text);
	}
	close(relay->wire);
	reap(relay->crinit);
	reap(relay->notary); /* it ends when the last other end of its socket is closed */
	relay_end(status);
}
