/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/fit.h"
#include "../../libcrcore/processor.h"

#define ID_A "00112233445566778899aabbccddeeff00112233"

/* ---- a node and a manifest that fit; a test changes one thing ---- */

static struct cr_fit_file there; /* what lies at every path of the node */

static void file_there(const char *path, struct cr_fit_file *file, void *arg)
{
	(void)path;
	(void)arg;
	*file = there;
}

static struct cr_fit_node node_make(void)
{
	there = (struct cr_fit_file){.found = true, .size = 100, .mtime_ns = 7, .build_id = ID_A};
	return (struct cr_fit_node){.kernel = "6.12.9-cloud-amd64 x86_64",
				    .cpu_flags = "fpu sse2 avx2 xsavec ibrs constant_tsc",
				    .xsave_bytes = 832,
				    .criu = "4.2.1",
				    .glibc = "2.41",
				    .file = file_there};
}

static struct cr_manifest_binary binary = {.path = (char *)"/usr/bin/lmp", .size = 100, .mtime_ns = 5};

static struct cr_manifest manifest_make(void)
{
	binary.build_id = (char *)ID_A;
	binary.size = 100;
	binary.mtime_ns = 5;
	return (struct cr_manifest){.kernel = (char *)"6.12.3 x86_64",
				    .cpu_flags = (char *)"fpu sse2 avx2 xsavec",
				    .xsave_bytes = 832,
				    .criu = (char *)"4.2.1",
				    .glibc = (char *)"2.41",
				    .binaries = &binary,
				    .n_binaries = 1};
}

static const char *reasons(const struct cr_manifest *m, const struct cr_fit_node *node)
{
	static struct cr_fit fit;

	cr_fit_compare(&fit, m, node);
	ck_assert_int_eq(fit.reasons > 0, fit.text[0] != '\0');
	return fit.text;
}

START_TEST(same)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	ck_assert_str_eq(reasons(&m, &node), "");
	/* a manifest of format 1 or 2 says less */
	m.xsave_bytes = 0;
	m.glibc = NULL;
	m.n_binaries = 0;
	ck_assert_str_eq(reasons(&m, &node), "");
	m.glibc = (char *)"";
	ck_assert_str_eq(reasons(&m, &node), "");
}
END_TEST

START_TEST(processor)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	m.cpu_flags = (char *)"fpu avx512f avx2 avx512_vnni amx_tile md_clear ibrs_enhanced erms xsavec";
	ck_assert_str_eq(reasons(&m, &node), "the processor has no avx512f, avx512_vnni, amx_tile");
	/* what the kernel alone cares for may lack */
	m.cpu_flags = (char *)"  fpu   ibpb stibp arch_perfmon nonstop_tsc ept vnmi fsrm xsavec ";
	ck_assert_str_eq(reasons(&m, &node), "");
	/* a word is not its beginning */
	m.cpu_flags = (char *)"avx xsavec";
	ck_assert_str_eq(reasons(&m, &node), "the processor has no avx");
	/* more than can be named */
	m.cpu_flags = (char *)"avx512a avx512b avx512c avx512d avx512e avx512f avx512g avx512h avx512i avx512j "
			      "avx512k avx512l avx512m avx512n avx512o avx512p avx512q avx512r avx512s avx512t "
			      "avx512u avx512v avx512w avx512x avx512y avx512z";
	ck_assert_ptr_nonnull(strstr(reasons(&m, &node), "the processor has no avx512a, avx512b"));
}
END_TEST

START_TEST(processor_of_another_kind)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	/* one reason, not every feature of the other's */
	node.kernel = "6.12.3 aarch64";
	node.cpu_flags = "fp asimd";
	ck_assert_str_eq(reasons(&m, &node), "the machine is aarch64, x86_64 is needed");
	/* there every word counts */
	m.kernel = (char *)"6.12.3 aarch64";
	m.cpu_flags = (char *)"fp asimd evtstrm sve2";
	ck_assert_str_eq(reasons(&m, &node), "the processor has no evtstrm, sve2");
}
END_TEST

START_TEST(extended_state)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	m.xsave_bytes = 2696;
	ck_assert_str_eq(reasons(&m, &node), "the processor's extended state is 832 bytes, 2696 are needed");
	/* a larger one is harmless where it was saved compacted */
	m.xsave_bytes = 832;
	node.xsave_bytes = 2696;
	ck_assert_str_eq(reasons(&m, &node), "");
	m.cpu_flags = (char *)"fpu sse2 avx2 xsave xsaveopt";
	node.cpu_flags = "fpu sse2 avx2 xsave xsaveopt xsavec";
	ck_assert_ptr_nonnull(strstr(reasons(&m, &node), "2696 bytes, no more than 832 are bearable"));
	/* not known on either side */
	node.xsave_bytes = 0;
	ck_assert_str_eq(reasons(&m, &node), "");
}
END_TEST

START_TEST(extended_state_of_this_machine)
{
#if defined(__x86_64__)
	/* the legacy area and the header at the least; AMX and all comes to some 11 KiB */
	ck_assert_uint_ge(cr_processor_xsave(), 512 + 64);
	ck_assert_uint_lt(cr_processor_xsave(), 64 << 10);
#else
	ck_assert_uint_eq(cr_processor_xsave(), 0);
#endif
}
END_TEST

START_TEST(software)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	node.kernel = "6.1.0-40-amd64 x86_64";
	ck_assert_str_eq(reasons(&m, &node), "the kernel is 6.1, 6.12 or later is needed");
	/* another release of the same one */
	node.kernel = "6.12.0 x86_64";
	ck_assert_str_eq(reasons(&m, &node), "");
	node.kernel = "7.0.1 x86_64";
	ck_assert_str_eq(reasons(&m, &node), "");
	node.criu = "4.2";
	ck_assert_str_eq(reasons(&m, &node), "criu is 4.2, 4.2.1 or later is needed");
	node.criu = "4.3";
	ck_assert_str_eq(reasons(&m, &node), "");
	node.glibc = "2.36";
	ck_assert_str_eq(reasons(&m, &node), "glibc is 2.36, 2.41 or later is needed");
	node.glibc = "2.42.9000";
	ck_assert_str_eq(reasons(&m, &node), "");
}
END_TEST

START_TEST(versions)
{
	ck_assert_int_lt(cr_fit_versions("6.9.1", "6.10", 2), 0);
	ck_assert_int_eq(cr_fit_versions("6.10.1", "6.10", 2), 0);
	ck_assert_int_gt(cr_fit_versions("6.10.1", "6.10", 3), 0);
	ck_assert_int_gt(cr_fit_versions("10", "9.99.99", 3), 0);
	ck_assert_int_eq(cr_fit_versions("4.2.0", "4.2", 3), 0);
	ck_assert_int_lt(cr_fit_versions("4.2-rc1", "4.3", 3), 0);
	/* no versions */
	ck_assert_int_eq(cr_fit_versions("", "4.3", 3), 0);
	ck_assert_int_eq(cr_fit_versions("4.3", "unknown", 3), 0);
	ck_assert_int_eq(cr_fit_versions("4.", "4.0", 3), 0);
}
END_TEST

START_TEST(binaries)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	there.build_id[0] = 'f';
	ck_assert_str_eq(reasons(&m, &node), "/usr/bin/lmp has changed (build id f01122334455, was 001122334455)");
	there.build_id[0] = '\0';
	ck_assert_str_eq(reasons(&m, &node), "/usr/bin/lmp has changed (build id none, was 001122334455)");
	/* stripped: the id stays, criu refuses it */
	node = node_make();
	there.size = 99;
	ck_assert_str_eq(reasons(&m, &node), "/usr/bin/lmp has changed (99 bytes, was 100)");
	there.found = false;
	ck_assert_str_eq(reasons(&m, &node), "/usr/bin/lmp is missing");
	/* a copy of the same build, made later */
	node = node_make();
	there.mtime_ns = 999;
	ck_assert_str_eq(reasons(&m, &node), "");
	/* no build id: by the time */
	there.build_id[0] = '\0';
	binary.build_id = (char *)"";
	ck_assert_ptr_nonnull(strstr(reasons(&m, &node), "/usr/bin/lmp may have changed"));
	there.mtime_ns = binary.mtime_ns;
	ck_assert_str_eq(reasons(&m, &node), "");
}
END_TEST

START_TEST(the_same_on_every_node)
{
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();
	struct cr_fit fit;

	there.shared = true;
	cr_fit_compare(&fit, &m, &node);
	ck_assert_uint_eq(fit.reasons, 0);
	ck_assert_uint_eq(fit.shared, 0);
	there.found = false;
	cr_fit_compare(&fit, &m, &node);
	ck_assert_uint_eq(fit.reasons, 1);
	ck_assert_uint_eq(fit.shared, 1);
	/* and one of this node's */
	node.glibc = "2.36";
	cr_fit_compare(&fit, &m, &node);
	ck_assert_uint_eq(fit.reasons, 2);
	ck_assert_uint_eq(fit.shared, 1);
	there.shared = false;
	cr_fit_compare(&fit, &m, &node);
	ck_assert_uint_eq(fit.shared, 0);
	cr_fit_add(&fit, "CAP_NET_ADMIN\nis not there");
	ck_assert_uint_eq(fit.reasons, 3);
	ck_assert_ptr_nonnull(strstr(fit.text, "; CAP_NET_ADMIN?is not there"));
}
END_TEST

START_TEST(put_back)
{
	struct cr_manifest_rollback dir = {.path = (char *)"/usr/bi"};
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();

	there.found = false;
	m.rollbacks = &dir;
	m.n_rollbacks = 1;
	ck_assert_str_eq(reasons(&m, &node), "/usr/bin/lmp is missing");
	dir.path = (char *)"/usr";
	ck_assert_str_eq(reasons(&m, &node), "");
}
END_TEST

START_TEST(many)
{
	static struct cr_manifest_binary some[300];
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();
	struct cr_fit fit;

	for (int i = 0; i < 300; i++) {
		some[i] = binary;
		some[i].path = (char *)"/usr/lib/x86_64-linux-gnu/li\nb.so";
	}
	m.binaries = some;
	m.n_binaries = 300;
	m.cpu_flags = (char *)"sha_ni xsavec";
	there.found = false;
	cr_fit_compare(&fit, &m, &node);
	ck_assert_uint_eq(fit.reasons, 301);
	ck_assert_ptr_eq(
		strstr(fit.text, "the processor has no sha_ni; /usr/lib/x86_64-linux-gnu/li?b.so is missing; "),
		fit.text);
	ck_assert_ptr_nonnull(strstr(fit.text, " more"));
	ck_assert_ptr_null(strchr(fit.text, '\n'));
}
END_TEST

START_TEST(long_path)
{
	static char path[4000];
	struct cr_fit_node node = node_make();
	struct cr_manifest m = manifest_make();
	struct cr_fit fit;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	binary.path = path;
	there.found = false;
	cr_fit_compare(&fit, &m, &node);
	binary.path = (char *)"/usr/bin/lmp";
	ck_assert_uint_eq(fit.reasons, 1);
	ck_assert_uint_gt(strlen(fit.text), 300);
}
END_TEST

UNIT_MAIN("fit", {same, false}, {processor, false}, {processor_of_another_kind, false}, {extended_state, false},
	  {extended_state_of_this_machine, false}, {software, false}, {versions, false}, {binaries, false},
	  {the_same_on_every_node, false}, {put_back, false}, {many, false}, {long_path, false})
