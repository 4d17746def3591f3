/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* credentials.c - messages wait whose receiver is told who has sent them */

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *result;

static void say(int fd, int whose)
{
	_Alignas(struct cmsghdr) char control[128];
	char text[64] = "";
	struct iovec iov = {text, sizeof(text) - 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct ucred who = {.uid = (uid_t)-1};

	if (recvmsg(fd, &msg, MSG_DONTWAIT) >= 0 && CMSG_FIRSTHDR(&msg) &&
	    CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(who));
	fprintf(result, "%s%s\n", text, !whose ? "" : who.uid == getuid() ? " of this user" : " of SOMEBODY");
}

int main(void)
{
	int dgram[2], stream[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram);
	socketpair(AF_UNIX, SOCK_STREAM, 0, stream);
	setsockopt(dgram[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
	setsockopt(stream[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
	if (send(dgram[0], "a datagram", 10, 0) < 0 || send(stream[0], "a message", 9, 0) < 0)
		return 1;
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	say(dgram[1], 1);
	/* criu sends it before it sets the option */
	say(stream[1], 0);
	return fclose(result);
}
