/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* faults.h - a file system that fails where a test wants it to, and remembers what was asked of it
 *
 * The linker puts our functions before libc's (FAULTS_LDFLAGS in Makefile.am), so that what is tested is the
 * library as it is built for everybody. Only what happens below one directory counts. Nothing is really synced:
 * what would have been lost in a power cut is worked out by crash.h from the log.
 */

#ifndef CR_UNIT_FAULTS_H
#define CR_UNIT_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum fault_op {
	FAULT_CREATE,
	FAULT_TRUNCATE,
	FAULT_MKDIR,
	FAULT_WRITE,
	FAULT_SYNC,
	FAULT_RENAME,
	FAULT_UNLINK,
	FAULT_CLOSE, /* of what was open for writing */
	FAULT_OPEN,  /* these two count apart, for they may come from another thread: */
	FAULT_READ,
	FAULT_MARK, /* the test's own */
	FAULT_OPS
};

enum fault_kind {
	FAULT_NONE,
	FAULT_ERROR,
	FAULT_SHORT, /* half of a write, then the error */
	FAULT_KILL,  /* _exit(FAULT_EXIT) */
	FAULT_GONE,  /* somebody removes gone */
};
#define FAULT_EXIT 77

struct fault_plan {
	enum fault_kind kind;
	int errnum;
	bool on;	  /* from that point on, not there alone */
	bool reads;	  /* count FAULT_OPEN and FAULT_READ instead of the others */
	long at;	  /* the how manieth, from 0 on */
	const char *gone; /* absolute */
};

struct fault_log {
	enum fault_op op;
	char *path, *to; /* relative to the root */
	void *data;
	size_t size;
	int mark, arg;
	bool failed; /* of a sync only: the others are not logged then */
};

/* Watch what lies below root (an absolute path without links) by plan; the log starts empty. */
void faults_begin(const char *root, const struct fault_plan *plan);

/* Go on without faults, and with the log. */
void faults_relent(void);
void faults_end(void);

/* Was there such a point? What it was, for a message. */
bool faults_met(void);
const char *faults_where(void);

/* How often op was seen, since the program began. */
unsigned long faults_seen(enum fault_op op);

void faults_mark(int mark, int arg);
const struct fault_log *faults_log(size_t *n);

/* rm -rf, by libc's own functions. */
void faults_remove(const char *path);

#endif
