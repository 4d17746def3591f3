/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* Sockets of this very process: noted, made as criu makes them, put back. */

#include "unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../libcrcore/cleanup.h"
#include "../../spank_cr/init/shim_queue.h"
#include "../../spank_cr/init/sockets.h"

static json_t *taken_with(const char *notes)
{
	pid_t self = getpid();
	json_t *noted = sockets_take(&self, 1, notes);

	ck_assert_ptr_nonnull(noted);
	ck_assert(sockets_ok(noted));
	return noted;
}

static json_t *taken(void)
{
	return taken_with(NULL);
}

/* What was logged meanwhile. */
static const char *applied(json_t *noted)
{
	static char text[4096];
	struct job job = {.id = 4711, .node = "n1", .log_level = 1, .wire = -1};
	pid_t self = getpid();
	ssize_t n;

	job.log = open(unit_path("log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(job.log, 0);
	sockets_apply(noted, &self, 1, &job);
	n = pread(job.log, text, sizeof(text) - 1, 0);
	close(job.log);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	json_decref(noted);
	return text;
}

static int udp_socket(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)at, &size), 0);
	return fd;
}

static int unix_socket(int type, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	size_t size;

	ck_assert_int_ge(fd, 0);
	if (!*name)
		return fd;
	/* abstract: a file would have to be removed */
	size = (size_t)snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s-%d", name, (int)getpid());
	ck_assert_int_eq(
		bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)),
		0);
	return fd;
}

static void unix_send(int from, int to, const char *text)
{
	struct sockaddr_un at;
	socklen_t size = sizeof(at);

	ck_assert_int_eq(getsockname(to, (struct sockaddr *)&at, &size), 0);
	ck_assert_int_eq(sendto(from, text, strlen(text), 0, (struct sockaddr *)&at, size), (ssize_t)strlen(text));
}

/* The next datagram's text, and where it came from; "-" when none comes. */
static const char *received(int fd, void *from, socklen_t *size)
{
	static char text[256];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = poll(&p, 1, 100) == 1 ? recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT, from, size) : -1;

	if (n < 0)
		return "-";
	text[n] = '\0';
	return text;
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_MULTICAST};
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* fails where it is up, and nobody may change it */
	(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

static int option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void option_set(int fd, int level, int name, int value)
{
	ck_assert_int_eq(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

/* Another socket at the same descriptor, as after a restore. */
static void replaced(int fd, int other)
{
	ck_assert_int_eq(dup3(other, fd, O_CLOEXEC), fd);
	close(other);
}

START_TEST(options_that_were_changed)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	    plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in_addr lo = {htonl(INADDR_LOOPBACK)}, via;
	socklen_t size = sizeof(via);
	json_t *noted;

	loopback_up();
	option_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	option_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	option_set(fd, IPPROTO_IP, IP_TTL, 7);
	option_set(fd, IPPROTO_IP, IP_TOS, 0x10);
	option_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 9);
	option_set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	option_set(fd, IPPROTO_UDP, UDP_CORK, 1);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	noted = taken();
	/* not the other one */
	ck_assert_uint_eq(json_array_size(noted), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(noted, 0), "options")), 8);
	replaced(fd, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	ck_assert_str_eq(applied(noted), "");
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_BROADCAST), 1);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_TIMESTAMPNS), 1);
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_TTL), 7);
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_TOS), 0x10);
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_MULTICAST_TTL), 9);
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
	ck_assert_int_eq(option(fd, IPPROTO_UDP, UDP_CORK), 1);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, &size), 0);
	ck_assert_uint_eq(via.s_addr, lo.s_addr);
	close(fd);
	close(plain);
}
END_TEST

/* Is the socket in the group, and with how many sources? */
static int sources_of(int fd, const char *group, uint32_t mode)
{
	struct group_filter filter = {.gf_interface = if_nametoindex("lo"), .gf_numsrc = 1};
	struct sockaddr_in *in = (struct sockaddr_in *)&filter.gf_group;
	socklen_t size = sizeof(filter);

	in->sin_family = AF_INET;
	ck_assert_int_eq(inet_pton(AF_INET, group, &in->sin_addr), 1);
	if (getsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, &filter, &size) < 0)
		return -1;
	ck_assert_uint_eq(filter.gf_fmode, mode);
	return (int)filter.gf_numsrc;
}

START_TEST(groups_that_were_joined)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ip_mreqn all = {.imr_ifindex = (int)if_nametoindex("lo")};
	struct ip_mreq_source one = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				     .imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK)};
	json_t *noted;

	loopback_up();
	ck_assert_int_eq(inet_pton(AF_INET, "239.1.2.3", &all.imr_multiaddr), 1);
	ck_assert_int_eq(inet_pton(AF_INET, "232.1.2.3", &one.imr_multiaddr), 1);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof(all)), 0);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one)), 0);
	noted = taken();
	replaced(fd, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	ck_assert_int_eq(sources_of(fd, "239.1.2.3", MCAST_EXCLUDE), -1);
	ck_assert_str_eq(applied(noted), "");
	ck_assert_int_eq(sources_of(fd, "239.1.2.3", MCAST_EXCLUDE), 0);
	ck_assert_int_eq(sources_of(fd, "232.1.2.3", MCAST_INCLUDE), 1);
	ck_assert_int_eq(sources_of(fd, "239.1.2.4", MCAST_EXCLUDE), -1);
	close(fd);
}
END_TEST

START_TEST(udp_datagrams_that_wait)
{
	struct sockaddr_in at, from, was, gone_at;
	socklen_t size = sizeof(from);
	int fd = udp_socket(&at), sender = udp_socket(&was), gone = udp_socket(&gone_at);
	json_t *noted;

	loopback_up();
	ck_assert_int_eq(sendto(sender, "one", 3, 0, (struct sockaddr *)&at, sizeof(at)), 3);
	ck_assert_int_eq(sendto(sender, "", 0, 0, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(sendto(gone, "three", 5, 0, (struct sockaddr *)&at, sizeof(at)), 5);
	close(gone);
	noted = taken();
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_PKTINFO), 0);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_PEEK_OFF), -1);
	ck_assert_str_eq(received(fd, NULL, NULL), "one");
	ck_assert_str_eq(received(fd, NULL, NULL), "");
	ck_assert_str_eq(received(fd, NULL, NULL), "three");
	ck_assert_str_eq(applied(noted), "");
	ck_assert_str_eq(received(fd, &from, &size), "one");
	ck_assert_uint_eq(from.sin_port, was.sin_port);
	ck_assert_str_eq(received(fd, &from, &size), "");
	ck_assert_uint_eq(from.sin_port, was.sin_port);
	ck_assert_str_eq(received(fd, &from, &size), "three");
	ck_assert_uint_eq(from.sin_port, gone_at.sin_port);
	ck_assert_str_eq(received(fd, NULL, NULL), "-");
	close(fd);
	close(sender);
}
END_TEST

/* From an address that is not of this machine. */
START_TEST(udp_datagrams_from_afar)
{
	struct sockaddr_in at, afar = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = udp_socket(&at), sender = udp_socket(&(struct sockaddr_in){0});
	json_t *noted, *datagram;
	char text[2 * sizeof(afar) + 1];

	loopback_up();
	ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.1", &afar.sin_addr), 1);
	ck_assert_int_eq(sendto(sender, "one", 3, 0, (struct sockaddr *)&at, sizeof(at)), 3);
	noted = taken();
	datagram = json_array_get(json_object_get(json_array_get(noted, 0), "queue"), 0);
	for (size_t i = 0; i < sizeof(afar); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", ((unsigned char *)&afar)[i]);
	ck_assert_int_eq(json_array_set_new(datagram, 0, json_string(text)), 0);
	ck_assert_str_eq(received(fd, NULL, NULL), "one");
	ck_assert_ptr_nonnull(
		strstr(applied(noted), "not as before: 1 datagrams that waited to be read are lost"));
	close(fd);
	close(sender);
}
END_TEST

/* As criu restores them: all from one socket. */
START_TEST(unix_datagrams_that_wait)
{
	int fd = unix_socket(SOCK_DGRAM, "server"), one = unix_socket(SOCK_DGRAM, "one");
	int two = unix_socket(SOCK_DGRAM, ""), gone = unix_socket(SOCK_DGRAM, "gone"),
	    criu = unix_socket(SOCK_DGRAM, "c");
	int connected = unix_socket(SOCK_DGRAM, "connected"); /* that others are needs an address all the same */
	struct sockaddr_un from = {0};
	socklen_t size = sizeof(from);
	json_t *noted;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&from, &size), 0);
	ck_assert_int_eq(connect(connected, (struct sockaddr *)&from, size), 0);
	size = sizeof(from);
	unix_send(one, fd, "1");
	unix_send(two, fd, "2");
	unix_send(gone, fd, "3");
	unix_send(one, fd, "4");
	close(gone);
	noted = taken();
	for (int i = 0; i < 4; i++)
		ck_assert_str_ne(received(fd, NULL, NULL), "-");
	for (int i = 1; i <= 4; i++)
		unix_send(criu, fd, (char[]){(char)('0' + i), 0});
	ck_assert_str_eq(applied(noted), "");
	ck_assert_str_eq(received(fd, &from, &size), "1");
	ck_assert_int_eq(strncmp(from.sun_path + 1, "one-", 4), 0);
	size = sizeof(from);
	ck_assert_str_eq(received(fd, &from, &size), "2");
	ck_assert_uint_le(size, offsetof(struct sockaddr_un, sun_path));
	size = sizeof(from);
	ck_assert_str_eq(received(fd, &from, &size), "3");
	ck_assert_int_eq(strncmp(from.sun_path + 1, "gone-", 5), 0);
	size = sizeof(from);
	ck_assert_str_eq(received(fd, &from, &size), "4");
	ck_assert_int_eq(strncmp(from.sun_path + 1, "one-", 4), 0);
	ck_assert_str_eq(received(fd, NULL, NULL), "-");
	close(fd);
	close(one);
	close(two);
	close(criu);
	close(connected);
}
END_TEST

/* What was sent before the receiver asks for credentials has nobody's. */
START_TEST(unix_datagrams_with_credentials)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	int fd = unix_socket(SOCK_DGRAM, "server"), one = unix_socket(SOCK_DGRAM, "one");
	struct iovec iov = {(char[8]){0}, 8};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct ucred who;

	unix_send(one, fd, "1");
	option_set(fd, SOL_SOCKET, SO_PASSCRED, 1);
	ck_assert_str_eq(applied(taken()), "");
	ck_assert_int_eq(recvmsg(fd, &msg, MSG_DONTWAIT), 1);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
	memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(who));
	ck_assert_int_eq(who.pid, getpid());
	ck_assert_uint_eq(who.uid, getuid());
	close(fd);
	close(one);
}
END_TEST

/* What criu has put back is right already, or something else altogether: then it stays. */
START_TEST(unix_datagrams_that_stay)
{
	int pair[2], fd = unix_socket(SOCK_DGRAM, "server"), one = unix_socket(SOCK_DGRAM, "one");
	json_t *noted;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(send(pair[0], "pair", 4, 0), 4);
	unix_send(one, fd, "1");
	noted = taken();
	ck_assert_str_eq(received(fd, NULL, NULL), "1");
	unix_send(one, fd, "another");
	ck_assert_ptr_nonnull(strstr(applied(noted), "not as before: 1 datagrams"));
	ck_assert_str_eq(received(pair[1], NULL, NULL), "pair");
	ck_assert_str_eq(received(fd, NULL, NULL), "another");
	close(pair[0]);
	close(pair[1]);
	close(fd);
	close(one);
}
END_TEST

static void expect_all(int fd, const char *const *texts)
{
	for (; *texts; texts++)
		ck_assert_str_eq(received(fd, NULL, NULL), *texts);
	ck_assert_str_eq(received(fd, NULL, NULL), "-");
}

/* For criu the queue ends there, or does not even begin. */
START_TEST(unix_datagrams_that_are_empty)
{
	int fd = unix_socket(SOCK_DGRAM, "server"), one = unix_socket(SOCK_DGRAM, "one"), pair[2];
	static const char *const within[] = {"1", "", "3", "", NULL}, *const first[] = {"", "2", NULL};
	json_t *noted;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; within[i]; i++)
		unix_send(one, fd, within[i]);
	for (int i = 0; first[i]; i++)
		ck_assert_int_eq(send(pair[0], first[i], strlen(first[i]), 0), (ssize_t)strlen(first[i]));
	noted = taken();
	/* the next look sees the same */
	json_decref(noted);
	noted = taken();
	expect_all(fd, within);
	expect_all(pair[1], first);
	unix_send(one, fd, "1");
	unix_send(one, fd, "3");
	ck_assert_str_eq(applied(noted), "");
	expect_all(fd, within);
	expect_all(pair[1], first);
	close(fd);
	close(one);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* criu, or rather the library in it, has looked at it before. */
START_TEST(unix_datagrams_that_criu_has_met)
{
	int fd = unix_socket(SOCK_DGRAM, "server"), one = unix_socket(SOCK_DGRAM, "one"), off = 0, none = -1;
	static const char *const all[] = {"1", "", "3", NULL};
	struct sockaddr_un from;
	socklen_t size = sizeof(from);
	char line[512] = "nonsense", byte;
	struct stat st;
	json_t *noted;
	int n;

	for (int i = 0; all[i]; i++)
		unix_send(one, fd, all[i]);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)), 0);
	for (int i = 0; all[i]; i++)
		ck_assert_int_eq(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), (ssize_t)strlen(all[i]));
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof(none)), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(getsockname(one, (struct sockaddr *)&from, &size), 0);
	n = shim_queue_line(line, sizeof(line) - 1, st.st_ino, 1, &from, size);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	noted = taken_with(line);
	expect_all(fd, all);
	unix_send(one, fd, "1");
	unix_send(one, fd, "3");
	ck_assert_str_eq(applied(noted), "");
	expect_all(fd, all);
	close(fd);
	close(one);
}
END_TEST

START_TEST(notes_that_are_damaged)
{
	static const char *const lines[] = {"",	      "\n",	 "1\n",	     "1 2\n", "x 2 \n",
					    "1 x \n", "1 2 0\n", "1 2 0g\n", "1 2 ",  "1 2 00 \n"};
	struct shim_queue_note note;
	char line[1024] = "1 2 ";

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(!shim_queue_parse(lines[i], &note), "%s", lines[i]);
	ck_assert_ptr_nonnull(shim_queue_parse("1 2 00ff\n", &note));
	ck_assert_str_eq(note.from, "00ff");
	memset(line + 4, '0', 600);
	line[604] = '\n';
	ck_assert(!shim_queue_parse(line, &note));
}
END_TEST

START_TEST(lists_that_are_damaged)
{
	static const char *const cases[] = {
		"{}",
		"[1]",
		"[{}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[],\"groups\":[]}]",
		"[{\"pid\":0,\"fd\":1,\"options\":[],\"groups\":[],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":-1,\"options\":[],\"groups\":[],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[[1,2]],\"groups\":[],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[[1,2,\"0\"]],\"groups\":[],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[[1,2,\"0x\"]],\"groups\":[],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[[1,2,\"00\",\"an-interface-too-long\"]],\"groups\":[],"
		"\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[],\"groups\":[{\"interface\":\"lo\"}],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[],\"groups\":[{\"interface\":\"lo\",\"group\":\"x\",\"mode\":0,"
		"\"sources\":[]}],\"queue\":[]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[],\"groups\":[],\"queue\":[[\"\",\"\"]]}]",
		"[{\"pid\":1,\"fd\":1,\"options\":[],\"groups\":[],\"queue\":[[\"\",\"\",3]]}]",
	};

	ck_assert(sockets_ok(NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *noted = json_loads(cases[i], 0, NULL);

		ck_assert_ptr_nonnull(noted);
		ck_assert_msg(!sockets_ok(noted), "%s", cases[i]);
		json_decref(noted);
	}
}
END_TEST

UNIT_MAIN("sockets", {options_that_were_changed, false}, {groups_that_were_joined, false},
	  {udp_datagrams_that_wait, false}, {udp_datagrams_from_afar, false}, {unix_datagrams_that_wait, false},
	  {unix_datagrams_that_stay, false}, {unix_datagrams_with_credentials, false},
	  {unix_datagrams_that_are_empty, false}, {unix_datagrams_that_criu_has_met, false},
	  {notes_that_are_damaged, false}, {lists_that_are_damaged, false})
