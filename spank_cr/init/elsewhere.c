/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "elsewhere.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "slurm.h"

static bool is_none(const char *value)
{
	return !*value || strcmp(value, "(null)") == 0;
}

int elsewhere_read(struct elsewhere *wish, const char *line, struct cr_error *err)
{
	static const char *const keys[] = {"TresPerNode", "TresPerJob", "TresPerSocket", "TresPerTask"};
	char value[512];
	size_t used = 0;

	memset(wish, 0, sizeof(*wish));
	slurm_value(line, "Partition", wish->partitions, sizeof(wish->partitions));
	if (!is_none(slurm_value(line, "Reservation", value, sizeof(value))))
		return cr_error_set(err, ENOTSUP, "it is in a reservation, whose nodes are not known (%.100s)",
				    value);
	slurm_value(line, "Features", wish->features, sizeof(wish->features));
	if (is_none(wish->features))
		wish->features[0] = '\0';
	/* all of them by name, joined by &: no alternatives, no counts, no exclusions */
	if (strpbrk(wish->features, "|[](){}*!") || strlen(wish->features) == sizeof(wish->features) - 1)
		return cr_error_set(err, ENOTSUP, "its --constraint=%.100s leaves it open which nodes will do",
				    wish->features);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		slurm_value(line, keys[i], value, sizeof(value));
		if (is_none(value))
			continue;
		used += (size_t)snprintf(wish->gres + used, sizeof(wish->gres) - used, "%s%s", used ? "," : "",
					 value);
		if (used >= sizeof(wish->gres))
			return cr_error_set(err, ENOTSUP, "it wants more generic resources than can be handled");
	}
	return 0;
}

static bool line_among(const char *lines, const char *name, size_t length)
{
	for (const char *at = lines; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strcspn(at, "\n") == length && memcmp(at, name, length) == 0)
			return true;
	return false;
}

static bool state_will_do(const char *state)
{
	static const char *const none[] = {"down",   "drain", "fail",  "error",	 "unknown",
					   "future", "inval", "maint", "blocked"};
	size_t n = strlen(state);

	/* * is a node that does not respond */
	if (n == 0 || state[n - 1] == '*')
		return false;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (strncmp(state, none[i], strlen(none[i])) == 0)
			return false;
	return true;
}

static bool word_among(const char *words, const char *name, size_t length)
{
	for (const char *at = words; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && memcmp(at, name, length) == 0)
			return true;
	return false;
}

static bool features_will_do(const char *wish, const char *features)
{
	for (const char *at = wish; *at; at += strcspn(at, "&,"), at += *at != '\0')
		if (!word_among(features, at, strcspn(at, "&,")))
			return false;
	return true;
}

/* "gpu:a100:2" begins with gpu:a100, "gpu(S:0)" with gpu. */
static bool gres_has(const char *gres, const char *name, size_t length)
{
	for (const char *at = gres; *at; at += strcspn(at, ","), at += *at == ',')
		if (strncmp(at, name, length) == 0 && strchr(":(=,", at[length]))
			return true;
	return false;
}

/* Of each the name and, where there is one, the type; how many is not looked at. */
static bool gres_will_do(const char *wish, const char *gres)
{
	for (const char *at = wish; *at; at += strcspn(at, ","), at += *at == ',') {
		size_t n;

		if (strncmp(at, "gres", 4) != 0 || (at[4] != '/' && at[4] != ':'))
			continue; /* cpu=2 and the like */
		n = strcspn(at + 5, ":=,");
		/* a type is no number */
		if (at[5 + n] == ':' && strspn(at + 6 + n, "0123456789") != strcspn(at + 6 + n, ":=,"))
			n += 1 + strcspn(at + 6 + n, ":=,");
		if (!gres_has(gres, at + 5, n))
			return false;
	}
	return true;
}

bool elsewhere_is(const struct elsewhere *wish, const char *nodes, const char *gone)
{
	for (const char *at = nodes; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		char partition[256], name[256], state[64], features[4096], gres[1024], line[5900];

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		if (sscanf(line, "%255s %255s %63s %4095s %1023s", partition, name, state, features, gres) != 5)
			continue;
		if (word_among(wish->partitions, partition, strlen(partition)) &&
		    !line_among(gone, name, strlen(name)) && state_will_do(state) &&
		    features_will_do(wish->features, features) && gres_will_do(wish->gres, gres))
			return true;
	}
	return false;
}
