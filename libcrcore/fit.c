/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fit.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor.h"

#define MORE 24 /* room for "; and 4294967295 more" */

/* The first always comes into the text, cut if need be; another one whole or not at all. */
static void __attribute__((format(printf, 2, 3))) reason_add(struct cr_fit *fit, const char *fmt, ...)
{
	size_t used = strlen(fit->text), room = sizeof(fit->text) - MORE;
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* a path may hold anything; this becomes a line */
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (fit->said == fit->reasons++ && used + strlen(text) + 3 < room) {
		snprintf(fit->text + used, room - used, "%s%s", used ? "; " : "", text);
		fit->said++;
	}
}

static void reasons_end(struct cr_fit *fit)
{
	size_t used = strlen(fit->text);

	if (fit->reasons > fit->said)
		snprintf(fit->text + used, sizeof(fit->text) - used, "; and %u more", fit->reasons - fit->said);
}

int cr_fit_versions(const char *a, const char *b, int numbers)
{
	if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b))
		return 0;
	for (int i = 0; i < numbers; i++) {
		char *a_end, *b_end;
		unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

		if (x != y)
			return x < y ? -1 : 1;
		/* "4.2" is 4.2.0 */
		a = *a_end == '.' && isdigit((unsigned char)a_end[1]) ? a_end + 1 : "0";
		b = *b_end == '.' && isdigit((unsigned char)b_end[1]) ? b_end + 1 : "0";
	}
	return 0;
}

/* The last word: what uname calls machine. */
static const char *machine_of(const char *kernel)
{
	const char *blank = strrchr(kernel, ' ');

	return blank ? blank + 1 : "";
}

/* The first numbers of a version. */
static int version_length(const char *version, int numbers)
{
	const char *at = version;

	while (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]) && --numbers > 0))
		at++;
	return (int)(at - version);
}

/* A later release of the same kernel version brings nothing that criu's images depend on. */
static void kernel_compare(struct cr_fit *fit, const struct cr_manifest *m, const struct cr_fit_node *node)
{
	if (strcmp(machine_of(m->kernel), machine_of(node->kernel)) != 0)
		reason_add(fit, "the machine is %s, %s is needed", machine_of(node->kernel),
			   machine_of(m->kernel));
	else if (cr_fit_versions(node->kernel, m->kernel, 2) < 0)
		reason_add(fit, "the kernel is %.*s, %.*s or later is needed", version_length(node->kernel, 2),
			   node->kernel, version_length(m->kernel, 2), m->kernel);
}

static void processor_compare(struct cr_fit *fit, const struct cr_manifest *m, const struct cr_fit_node *node)
{
	uint32_t needed = m->xsave_bytes, has = node->xsave_bytes;
	char features[200];

	if (strcmp(machine_of(m->kernel), machine_of(node->kernel)) != 0)
		return;
	if (cr_processor_lacks(m->kernel, m->cpu_flags, node->cpu_flags, features, sizeof(features)))
		reason_add(fit, "the processor has no %s", features);
	if (needed == 0 || has == 0 || needed == has)
		return;
	if (has < needed)
		reason_add(fit, "the processor's extended state is %u bytes, %u are needed", has, needed);
	/* The C library has measured it at the program's start, and saves into buffers of that size whenever it
	 * binds a symbol. XSAVEC leaves out registers that nobody has used; XSAVE writes them, and over the
	 * buffer's end. */
	else if (!cr_processor_has(m->cpu_flags, "xsavec", 6))
		reason_add(
			fit,
			"the processor's extended state is %u bytes, no more than %u are bearable without xsavec",
			has, needed);
}

static void software_compare(struct cr_fit *fit, const struct cr_manifest *m, const struct cr_fit_node *node)
{
	/* an older one passes over what it does not know in the images: to the last digit */
	if (cr_fit_versions(node->criu, m->criu, 3) < 0)
		reason_add(fit, "criu is %s, %s or later is needed", node->criu, m->criu);
	if (m->glibc && cr_fit_versions(node->glibc, m->glibc, 2) < 0)
		reason_add(fit, "glibc is %s, %s or later is needed", node->glibc, m->glibc);
}

static void binary_compare(struct cr_fit *fit, const struct cr_manifest_binary *b, const struct cr_fit_node *node)
{
	struct cr_fit_file file = {0};
	unsigned before = fit->reasons;

	node->file(b->path, &file, node->arg);
	if (!file.found)
		reason_add(fit, "%s is missing", b->path);
	else if (strcmp(file.build_id, b->build_id) != 0)
		reason_add(fit, "%s has changed (build id %.12s, was %.12s)", b->path,
			   *file.build_id ? file.build_id : "none", *b->build_id ? b->build_id : "none");
	/* criu compares sizes too: whoever strips a file keeps its build id */
	else if (file.size != b->size)
		reason_add(fit, "%s has changed (%llu bytes, was %llu)", b->path, (unsigned long long)file.size,
			   (unsigned long long)b->size);
	else if (!*b->build_id && file.mtime_ns != b->mtime_ns)
		reason_add(fit, "%s may have changed (it has no build id, and its time is another one)", b->path);
	if (file.shared)
		fit->shared += fit->reasons - before;
}

void cr_fit_add(struct cr_fit *fit, const char *reason)
{
	reason_add(fit, "%s", reason);
}

/* Files there go back to the checkpoint's state before the job does. */
static bool is_put_back(const struct cr_manifest *m, const char *path)
{
	for (size_t i = 0; i < m->n_rollbacks; i++) {
		size_t n = strlen(m->rollbacks[i].path);

		if (strncmp(path, m->rollbacks[i].path, n) == 0 && path[n] == '/')
			return true;
	}
	return false;
}

void cr_fit_compare(struct cr_fit *fit, const struct cr_manifest *m, const struct cr_fit_node *node)
{
	*fit = (struct cr_fit){0};
	processor_compare(fit, m, node);
	kernel_compare(fit, m, node);
	software_compare(fit, m, node);
	for (size_t i = 0; i < m->n_binaries; i++)
		if (!is_put_back(m, m->binaries[i].path))
			binary_compare(fit, &m->binaries[i], node);
	reasons_end(fit);
}
