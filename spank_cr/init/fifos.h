/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fifos.h - named pipes whose readers have been told that nobody writes any more
 *
 * A reader that was opened before there was any writer waits; once one has come and gone it is told so (POLLHUP),
 * for good. Which of the two it is cannot be read anywhere, is not in criu's images, and criu makes the second of
 * both. So the reader is asked while the job stands still, and criu's library (shim.h) is told. A pipe's readers
 * are all told, or none is: where one is and another is not, both are after a restore.
 */

#ifndef CR_INIT_FIFOS_H
#define CR_INIT_FIFOS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"

#define FIFOS_MAX_BYTES (1u << 20)

/* The pipes with such a reader: an array of names (shim_fifos.h). null when there are more than FIFOS_MAX_BYTES of
 * them, or no memory: then criu does what it does. */
json_t *fifos_take(const pid_t *pids, size_t n);

/* Is it such a list? None at all, of an older checkpoint that does not know, is one. */
bool fifos_ok(const json_t *fifos);

/* Leave it for the library in criu in directory dir; remove that after the restore. */
int fifos_tell(const char *dir, const json_t *fifos, struct cr_error *err);
void fifos_forget(const char *dir);

#endif
