/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"
#include "../../libcrcore/seal.h"

#define HASH "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"

START_TEST(payload)
{
	struct cr_error err = {0};
	char buf[CR_SEAL_PAYLOAD];
	char part[65] = {0};

	unit_assert_ok(cr_seal_payload(4711, 1001, "batch.0", 7, HASH, buf, &err), &err);
	ck_assert_str_eq(buf, "spank_cr manifest 1 job=4711 uid=1001 part=batch.0 generation=7 blake2b=" HASH);
	memset(part, 'x', 64);
	unit_assert_ok(cr_seal_payload(UINT32_MAX, UINT32_MAX, part, UINT32_MAX, HASH, buf, &err), &err);
}
END_TEST

START_TEST(payload_refuses)
{
	static const char *const parts[] = {"", "batch.0 generation=9", "a/b", "..", "x\ny"};
	char hash[CR_HASH_HEX] = HASH;
	struct cr_error err = {0};
	char buf[CR_SEAL_PAYLOAD];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ck_assert_int_eq(cr_seal_payload(1, 1, parts[i], 1, HASH, buf, &err), -1);
		unit_assert_error(&err, EINVAL, "no name of a part");
	}
	ck_assert_int_eq(cr_seal_payload(1, 1, NULL, 1, HASH, buf, &err), -1);
	hash[3] = 'X';
	ck_assert_int_eq(cr_seal_payload(1, 1, "batch.0", 1, hash, buf, &err), -1);
	unit_assert_error(&err, EINVAL, "no BLAKE2b-256 hash");
	hash[3] = '\0';
	ck_assert_int_eq(cr_seal_payload(1, 1, "batch.0", 1, hash, buf, &err), -1);
	unit_assert_error(&err, EINVAL, "no BLAKE2b-256 hash");
}
END_TEST

/* ---- a munged that has hung up before it is spoken to: libmunge comes by here ---- */

static bool hangs_up;

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int pair[2];

	if (!hangs_up)
		return (int)syscall(SYS_connect, fd, address, size);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || dup2(pair[0], fd) < 0)
		return -1;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

int stat(const char *path, struct stat *st)
{
	if (!hangs_up)
		return fstatat(AT_FDCWD, path, st, 0);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFSOCK;
	return 0;
}

START_TEST(munged_that_hangs_up)
{
	cleanup_free char *credential = NULL;
	struct cr_error err = {0};
	sigset_t pending;

	hangs_up = true;
	ck_assert_int_eq(cr_seal_make("payload", &credential, &err), -1);
	unit_assert_error(&err, ECONNREFUSED, "cannot make the seal: munge: ");
	ck_assert_int_eq(cr_seal_check("MUNGE:AwQDAAA=:", "payload", &err), -1);
	unit_assert_error(&err, ECONNREFUSED, "cannot check the seal: munge: ");
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert(!sigismember(&pending, SIGPIPE));
}
END_TEST

/* One clear line with a munged, and without one. */
START_TEST(garbage_credentials)
{
	static const char *const cases[] = {
		"", "x", "MUNGE:", "MUNGE::", "MUNGE:AwQDAAA=:", "spank_cr manifest 1", "MUNGE:!!!!:", "\n"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};

		ck_assert_msg(cr_seal_check(cases[i], "payload", &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, err.errnum, "cannot check the seal: munge: ");
		ck_assert_int_ne(err.errnum, 0);
	}
}
END_TEST

START_TEST(round_trip_or_clear_error)
{
	cleanup_free char *credential = NULL;
	struct cr_error err = {0};

	if (cr_seal_make("payload", &credential, &err) < 0) {
		unit_assert_error(&err, ECONNREFUSED, "cannot make the seal: munge: ");
		unit_assert_error(&err, ECONNREFUSED, "munge.socket");
		ck_assert_ptr_null(credential);
		(void)fprintf(stderr, "SKIP round trip of a seal: %s\n", err.text);
		return;
	}
	if (geteuid() != 0) {
		ck_assert_int_eq(cr_seal_check(credential, "payload", &err), -1);
		unit_assert_error(&err, EPERM, "not by root");
		return;
	}
	unit_assert_ok(cr_seal_check(credential, "payload", &err), &err);
	/* again: replayed, and fine */
	unit_assert_ok(cr_seal_check(credential, "payload", &err), &err);
	for (const char *const *other = (const char *const[]){"payloae", "payloa", "payload ", "", NULL}; *other;
	     other++) {
		ck_assert_int_eq(cr_seal_check(credential, *other, &err), -1);
		unit_assert_error(&err, EBADMSG, "another manifest");
	}
	credential[strlen(credential) / 2] ^= 1;
	ck_assert_int_eq(cr_seal_check(credential, "payload", &err), -1);
}
END_TEST

UNIT_MAIN("seal", {payload, false}, {payload_refuses, false}, {munged_that_hangs_up, false},
	  {garbage_credentials, false}, {round_trip_or_clear_error, false})
