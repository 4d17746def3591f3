/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cleanup.h - release by attribute at the end of a scope; initialise at declaration */

#ifndef CR_CLEANUP_H
#define CR_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cr_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cr_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cr_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cr_cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_free	 __attribute__((cleanup(cr_cleanup_free)))
#define cleanup_close	 __attribute__((cleanup(cr_cleanup_close)))
#define cleanup_fclose	 __attribute__((cleanup(cr_cleanup_fclose)))
#define cleanup_closedir __attribute__((cleanup(cr_cleanup_closedir)))

#endif
