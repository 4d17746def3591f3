/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "links.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "shim.h"
#include "shim_links.h"

void links_remove(const struct job *job)
{
	char note[PATH_MAX + 32], line[PATH_MAX + 2];
	cleanup_fclose FILE *f = NULL;

	snprintf(note, sizeof(note), "%s/" SHIM_LINKS, job->home);
	f = fopen(note, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		/* below /; the job's own processes could have written into the note */
		if (strncmp(line, "./", 2) == 0 && shim_link_name(line))
			(void)unlink(line + 1);
	}
	unlink(note);
}
