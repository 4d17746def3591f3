/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* processor.h - what of a processor a program may have come to depend on */

#ifndef CR_PROCESSOR_H
#define CR_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is name, a word of /proc/cpuinfo's flags, a feature that a program can see and use? kernel is release and
 * machine as in a manifest: on other machines than x86 every word is one. */
bool cr_processor_matters(const char *kernel, const char *name, size_t length);

/* Those of the features in needed that matter and are not among had, both separated by blanks: names, separated by
 * ", ", as many as fit into buf. Returns how many there are. */
unsigned cr_processor_lacks(const char *kernel, const char *needed, const char *had, char *buf, size_t size);

/* Is word among the words of text? */
bool cr_processor_has(const char *text, const char *word, size_t length);

/* Bytes of the extended state (XSAVE, not compacted) with all that the kernel has enabled; 0: none, or not x86. */
uint32_t cr_processor_xsave(void);

#endif
