/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "processor.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/* What user code finds by CPUID and then uses: instructions, registers, and what they need of the kernel. The
 * other words in /proc/cpuinfo are the kernel's own business: mitigations (ibrs, md_clear, …) come and go with
 * microcode, the clock's (constant_tsc, …), virtualisation's and power management's are nothing that an
 * instruction of the program's depends on. Nor does one fail for want of a hint: erms and fsrm are none of an
 * instruction's, and hle, cldemote and the prefetches are encodings that do nothing elsewhere. Two nodes of one
 * kind would differ by them, and a job could go to neither. An ending * stands for any ending. */
static const char *const x86[] = {
	/* the base */
	"fpu",
	"tsc",
	"cx8",
	"cx16",
	"cmov",
	"fxsr",
	"syscall",
	"lm",
	"lahf_lm",
	"rdtscp",
	"rdpid",
	"rdpru",
	/* vectors */
	"mmx",
	"mmxext",
	"3dnow",
	"3dnowext",
	"sse",
	"sse2",
	"pni",
	"ssse3",
	"sse4_1",
	"sse4_2",
	"sse4a",
	"misalignsse",
	"avx",
	"avx2",
	"avx_*",
	"avx512*",
	"avx10*",
	"amx_*",
	"fma",
	"fma4",
	"xop",
	"f16c",
	"gfni",
	/* bits and numbers */
	"abm",
	"bmi1",
	"bmi2",
	"tbm",
	"popcnt",
	"movbe",
	"adx",
	"rdrand",
	"rdseed",
	"lwp",
	"apx*",
	/* ciphers and sums */
	"aes",
	"vaes",
	"pclmulqdq",
	"vpclmulqdq",
	"sha_ni",
	"sha512",
	"sm3",
	"sm4",
	/* memory */
	"clflush",
	"clflushopt",
	"clwb",
	"clzero",
	"movdiri",
	"movdir64b",
	"enqcmd",
	"cmpccxadd",
	"raoint",
	/* waiting and transactions */
	"waitpkg",
	"mwaitx",
	"serialize",
	"rtm",
	"tsxldtrk",
	/* state that the kernel saves for the program */
	"xsave",
	"xsaveopt",
	"xsavec",
	"xgetbv1",
	"fsgsbase",
	"pku",
	"ospke",
	"mpx",
	"user_shstk",
};

static bool pattern_is(const char *pattern, const char *name, size_t length)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return length >= n - 1 && memcmp(name, pattern, n - 1) == 0;
	return length == n && memcmp(name, pattern, n) == 0;
}

bool cr_processor_matters(const char *kernel, const char *name, size_t length)
{
	const char *blank = strrchr(kernel, ' ');
	const char *machine = blank ? blank + 1 : kernel;

	/* elsewhere the line holds what the kernel tells programs by AT_HWCAP, and nothing else */
	if (strcmp(machine, "x86_64") != 0 && !(machine[0] == 'i' && strcmp(machine + 2, "86") == 0))
		return true;
	for (size_t i = 0; i < sizeof(x86) / sizeof(x86[0]); i++)
		if (pattern_is(x86[i], name, length))
			return true;
	return false;
}

bool cr_processor_has(const char *text, const char *word, size_t length)
{
	for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == length && memcmp(at, word, n) == 0)
			return true;
		at += n;
	}
	return false;
}

unsigned cr_processor_lacks(const char *kernel, const char *needed, const char *had, char *buf, size_t size)
{
	unsigned lacking = 0;
	size_t used = 0;

	buf[0] = '\0';
	for (const char *at = needed + strspn(needed, " "); *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (cr_processor_matters(kernel, at, n) && !cr_processor_has(had, at, n)) {
			lacking++;
			if (used + n + 3 <= size)
				used += (size_t)snprintf(buf + used, size - used, "%s%.*s", used ? ", " : "",
							 (int)n, at);
		}
		at += n;
	}
	return lacking;
}

uint32_t cr_processor_xsave(void)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned a = 0, b = 0, c = 0, d = 0;

	/* OSXSAVE: the kernel has switched it on; only then does leaf 13 count what is enabled */
	if (__get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 27)) && __get_cpuid_count(13, 0, &a, &b, &c, &d))
		return b;
#endif
	return 0;
}
