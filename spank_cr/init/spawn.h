/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* spawn.h - children of crinit's: always by absolute path, with an environment of our own making */

#ifndef CR_INIT_SPAWN_H
#define CR_INIT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

#define SPAWN_PASS 140

struct spawn {
	const char *const *argv; /* argv[0] is the absolute path */
	const char *const *envp;
	int cgroup;	      /* enter through this descriptor, or -1 */
	bool caps;	      /* keep the ambient set; otherwise none */
	int out;	      /* stdout and stderr, or -1: /dev/null */
	int pass[SPAWN_PASS]; /* descriptors that stay open under their numbers, -1 ends the list */
};

/* Returns the pid; *pidfd (may be NULL) gets a close-on-exec descriptor. */
pid_t spawn_start(const struct spawn *spawn, int *pidfd, struct cr_error *err);

/* Wait for the end. Returns the wait status, or -1. */
int spawn_wait(pid_t pid, struct cr_error *err);

/* The same, but not for ever: storage that hangs keeps who uses it. Returns whether the child has ended. */
bool spawn_ended(pid_t pid, int timeout_ms);

/* Start, collect at most size - 1 bytes of output into buf, wait at most timeout_ms (then kill). Returns 0 when it
 * exited with 0, else -1 with its last line in err. pass: a descriptor that it gets, or -1. */
int spawn_capture(const char *const *argv, const char *const *envp, int cgroup, int pass, int timeout_ms,
		  char *buf, size_t size, struct cr_error *err);

/* The environment crinit gives: PATH, LC_ALL, times in seconds since 1970 from Slurm's commands, and SLURM_CONF
 * when crinit has it. */
const char *const *spawn_environment(void);

#endif
