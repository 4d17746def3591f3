/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "plan.h"

#include <stdio.h>
#include <string.h>

/* Digits up to a blank or the end; *text moves behind the blank. */
static bool number_read(const char **text, uint64_t most, uint64_t *value)
{
	const char *at = *text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*value > (most - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (at == *text || (*at && *at != ' '))
		return false;
	*text = at + (*at == ' ');
	return true;
}

/* "2001,2002": a number between two commas, always. */
static bool groups_are(const char *text)
{
	while (*text) {
		size_t n = strspn(text, "0123456789");

		if (n == 0 || (text[n] && (text[n] != ',' || !text[n + 1])))
			return false;
		text += n + (text[n] == ',');
	}
	return true;
}

bool source_read(char **line)
{
	if (strncmp(*line, "source ", 7) != 0)
		return false;
	*line += 7;
	return true;
}

bool candidate_read(struct candidate *candidate, const char *text)
{
	struct candidate c = {0};
	uint64_t generation, monotonic, boottime;
	size_t n;

	if (!number_read(&text, UINT32_MAX, &generation) || generation == 0 ||
	    !number_read(&text, INT64_MAX, &monotonic) || !number_read(&text, INT64_MAX, &boottime))
		return false;
	n = strcspn(text, " ");
	if ((n != 4 || memcmp(text, "host", 4) != 0) && (n != 7 || memcmp(text, "private", 7) != 0))
		return false;
	memcpy(c.net, text, n);
	text += n + (text[n] == ' ');
	if (strlen(text) >= sizeof(c.without) || !groups_are(text))
		return false;
	memcpy(c.without, text, strlen(text));
	c.generation = (uint32_t)generation;
	c.monotonic_ns = (int64_t)monotonic;
	c.boottime_ns = (int64_t)boottime;
	*candidate = c;
	return true;
}

bool unfit_read(struct unfit *unfit, const char *text)
{
	uint64_t generation;

	if (!number_read(&text, UINT32_MAX, &generation) || generation == 0 || !*text)
		return false;
	unfit->generation = (uint32_t)generation;
	snprintf(unfit->why, sizeof(unfit->why), "%s", text);
	return true;
}

bool setback_read(struct setback *setback, const char *text)
{
	for (int i = CR_FALLBACK_HOLD; i <= CR_FALLBACK_FRESH; i++) {
		const char *word = cr_fallback_word((enum cr_fallback)i);
		size_t n = strlen(word);

		if (strncmp(text, word, n) != 0 || text[n] != ' ' || !text[n + 1])
			continue;
		setback->is = true;
		setback->fallback = (enum cr_fallback)i;
		snprintf(setback->why, sizeof(setback->why), "%s", text + n + 1);
		return true;
	}
	return false;
}

bool delay_read(int64_t *seconds, const char *text)
{
	uint64_t number;

	if (strchr(text, ' ') || !number_read(&text, CR_RESTART_DELAY_MAX, &number) || number == 0)
		return false;
	*seconds = (int64_t)number;
	return true;
}
