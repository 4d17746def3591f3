/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_session.c - processes whose session criu cannot make again
 *
 * A process gets into a session by being forked in it: criu has to find, among those that it is forked from, the
 * one that made the session, and each of these can have been in only one before it made its own. Only for the
 * children of the tree's root does it make leaders that have ended. So those that a subreaper further down has
 * taken on are lost when the leader of their session has ended, or is elsewhere.
 */

#include "preflight_part.h"

static struct preflight_process *parent_of(const struct preflight *p, const struct preflight_process *s)
{
	const struct preflight_process *parent =
		s->pid == p->job->root ? NULL : preflight_process_find(p, s->parent);

	return parent ? &p->processes[parent - p->processes] : NULL;
}

/* Is it among those that criu makes a leader for? */
static bool is_helped(const struct preflight *p, const struct preflight_process *s)
{
	const struct preflight_process *root = parent_of(p, s);

	return root && root->pid == p->job->root && s->sid != root->sid;
}

static bool is_found(const struct preflight *p, const struct preflight_process *s)
{
	struct preflight_process *parent = parent_of(p, s);

	if (!parent || s->sid == 0 || s->sid == s->pid || parent->sid == s->sid || is_helped(p, s))
		return true;
	/* the tree may have changed while it was read: never round and round */
	for (size_t i = 0; parent && i < p->n; i++, parent = parent_of(p, parent)) {
		if (parent->pid == s->sid || (parent->sid == s->sid && is_helped(p, parent)))
			return true;
		if (parent->born && parent->born != s->sid)
			return false;
		parent->born = s->sid;
	}
	return false;
}

void preflight_sessions(struct preflight *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct preflight_process *s = &p->processes[i];

		if (s->in && !is_found(p, s))
			preflight_add(p, CR_PREFLIGHT_SESSION, s, -1, "session %d", (int)s->sid);
	}
}
