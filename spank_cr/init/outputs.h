/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* outputs.h - files that the job writes: recorded while it is frozen, put back before it is restored */

#ifndef CR_INIT_OUTPUTS_H
#define CR_INIT_OUTPUTS_H

#include <stdbool.h>

#include "capture.h"
#include "criu.h"
#include "directories.h"
#include "error.h"
#include "ghosts.h"
#include "job.h"
#include "manifest.h"
#include "output_fate.h"
#include "source.h"

/* While frozen: every regular file the tree has open for writing or mapped shared, with a copy of its content as
 * the job and the site want it; stdout and stderr of the job with a copy always (Slurm truncates them when it
 * starts the job again); and the directories of all these. */
int outputs_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err);

/* After the thaw, before the commit: what the manifest counts on must not be lost with the node. */
int outputs_sync(const struct cr_manifest *m, struct cr_error *err);

/* ---- restore ---- */

/* What is to be put back. */
struct outputs {
	struct output_restore files;
	struct directories directories;
};

/* Read what the checkpoint says of them. outputs_close is called in any case. */
int outputs_open(struct outputs *outputs, const struct job *job, const struct cr_manifest *m,
		 struct source *source, struct cr_error *err);

/* Can all of them be put back? Nothing is changed. rolled: the directories of --checkpoint-rollback are as they
 * were; before that, what is below one of them and will be put right there is not refused. */
int outputs_check(struct outputs *outputs, bool rolled, struct cr_error *err);

void outputs_close(struct outputs *outputs);

/* What outputs_restore leaves to do. */
#define OUTPUTS_INHERIT (3 + GHOSTS_NAMELESS_MAX)
struct outputs_restored {
	/* descriptors that the restored tree is to have instead of paths that are elsewhere now */
	struct criu_inherit inherit[OUTPUTS_INHERIT];
	int n;
	/* stdout and stderr (crinit's 1 and 2) as Slurm handed them over: size in bytes, or -1 when not touched */
	off_t was[2];
};

/* One descriptor more, which is closed when there is no room for it; path is not copied. */
int outputs_inherit(struct outputs_restored *restored, int fd, const char *path, struct cr_error *err);

/* Put all of them back, as outputs_check has decided; *restored is valid after an error, too. */
int outputs_restore(struct outputs *outputs, struct source *source, struct outputs_restored *restored,
		    struct cr_error *err);

/* The restore failed: whoever starts next finds stdout and stderr as Slurm made them. */
void outputs_undo(const struct job *job, const struct outputs_restored *restored);

/* Close the descriptors. */
void outputs_release(struct outputs_restored *restored);

#endif
