/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_socket.c - sockets that criu does not carry: their other end is not in the job, or their kind is none
 * of its own */

#include "preflight_part.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* A line of /proc/net/tcp. */
struct tcp {
	uint64_t ino;
	unsigned state, waiting; /* of a listening one: connections not accepted yet */
	unsigned local_port, remote_port;
	char local[33], remote[33]; /* as the kernel writes them */
	bool six;
};

struct tcp_table {
	struct tcp *lines; /* in the end ascending by inode */
	const struct tcp **by_ends;
	size_t n, room;
};

enum { TCP_STATE_ESTABLISHED = 1, TCP_STATE_CLOSE = 7, TCP_STATE_LISTEN = 10 };

static int tcp_read(const struct preflight *p, const char *name, bool six, struct tcp_table *table,
		    struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/net/%s", (int)p->job->root, name);
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		struct tcp t = {.six = six};

		if (sscanf(line, " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*x:%x %*x:%*x %*x %*u %*d %" SCNu64,
			   t.local, &t.local_port, t.remote, &t.remote_port, &t.state, &t.waiting, &t.ino) != 7 ||
		    strlen(t.local) != (six ? 32 : 8) || strlen(t.remote) != (six ? 32 : 8) || t.ino == 0)
			continue;
		if (table->n == table->room) {
			struct tcp *more = realloc(
				table->lines, (table->room = table->room ? 2 * table->room : 64) * sizeof(*more));

			if (!more)
				return cr_error_sys(err, ENOMEM, "the list of connections");
			table->lines = more;
		}
		table->lines[table->n++] = t;
	}
	return 0;
}

/* The kernel prints words of an address as numbers of its own byte order. ::ffff:a.b.c.d is what people know as
 * a.b.c.d. Returns the family. */
static int address_read(const char *hex, bool six, struct in6_addr *address)
{
	uint32_t words[4] = {0};
	char word[9];

	for (int i = 0; i < (six ? 4 : 1); i++) {
		memcpy(word, hex + (size_t)i * 8, 8);
		word[8] = '\0';
		words[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	if (six && words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff)) {
		words[0] = words[3];
		six = false;
	}
	memcpy(address, words, sizeof(words));
	return six ? AF_INET6 : AF_INET;
}

static const char *address_text(const char *hex, bool six, char buf[INET6_ADDRSTRLEN])
{
	struct in6_addr address;
	int family = address_read(hex, six, &address);

	return inet_ntop(family, &address, buf, INET6_ADDRSTRLEN);
}

bool preflight_is_group(const char *hex, bool six)
{
	struct in6_addr address;
	uint32_t four;

	if (address_read(hex, six, &address) == AF_INET6)
		return IN6_IS_ADDR_MULTICAST(&address);
	memcpy(&four, &address, sizeof(four));
	return IN_MULTICAST(ntohl(four));
}

void preflight_address(struct preflight *p, const struct preflight_socket *s, const char *hex, bool six,
		       unsigned port)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;
	uint32_t four;

	if (preflight_is_group(hex, six))
		return;
	if (address_read(hex, six, &address) == AF_INET6) {
		if (IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address))
			return;
	} else {
		memcpy(&four, &address, sizeof(four));
		four = ntohl(four);
		if (four == INADDR_ANY || four >> 24 == IN_LOOPBACKNET || four == INADDR_BROADCAST)
			return;
	}
	preflight_add(p, CR_PREFLIGHT_ADDRESS, &p->processes[s->process], s->fd, "%s, port %u",
		      address_text(hex, six, text), port);
}

static int socket_compare(const void *a, const void *b)
{
	const struct preflight_socket *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* They are sorted by now. */
const struct preflight_socket *preflight_socket_find(const struct preflight *p, uint64_t ino)
{
	const struct preflight_socket key = {.ino = ino};

	return ino && p->n_sockets ? bsearch(&key, p->sockets, p->n_sockets, sizeof(key), socket_compare) : NULL;
}

static int tcp_compare_ino(const void *a, const void *b)
{
	const struct tcp *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* By both addresses, the near one first. */
static int tcp_compare_ends(const void *a, const void *b)
{
	const struct tcp *x = *(const struct tcp *const *)a, *y = *(const struct tcp *const *)b;
	int rc = x->local_port != y->local_port ? (x->local_port < y->local_port ? -1 : 1) : 0;

	if (rc == 0 && x->remote_port != y->remote_port)
		rc = x->remote_port < y->remote_port ? -1 : 1;
	if (rc == 0)
		rc = strcmp(x->local, y->local); /* their lengths differ by family */
	return rc ? rc : strcmp(x->remote, y->remote);
}

static int table_sort(struct tcp_table *table, struct cr_error *err)
{
	table->by_ends = calloc(table->n + 1, sizeof(*table->by_ends));
	if (!table->by_ends)
		return cr_error_sys(err, ENOMEM, "the list of connections");
	if (table->n == 0)
		return 0;
	qsort(table->lines, table->n, sizeof(*table->lines), tcp_compare_ino);
	for (size_t i = 0; i < table->n; i++)
		table->by_ends[i] = &table->lines[i];
	qsort(table->by_ends, table->n, sizeof(*table->by_ends), tcp_compare_ends);
	return 0;
}

/* The socket at the other end of the connection, when the job has it. */
static const struct preflight_socket *tcp_peer(const struct preflight *p, const struct tcp_table *table,
					       const struct tcp *t)
{
	struct tcp other = {.local_port = t->remote_port, .remote_port = t->local_port};
	const struct tcp *key = &other, **at;

	memcpy(other.local, t->remote, sizeof(other.local));
	memcpy(other.remote, t->local, sizeof(other.remote));
	at = bsearch(&key, table->by_ends, table->n, sizeof(*table->by_ends), tcp_compare_ends);
	return at && *at != t ? preflight_socket_find(p, (*at)->ino) : NULL;
}

/* The one place that knows what a network of the job's own changes: nobody outside of it can be at the other end,
 * so criu is asked to take connections along, and no other job can hold a port. */
static bool tcp_carried(const struct preflight *p)
{
	return p->job->private_net;
}

static void tcp_look(struct preflight *p, const struct tcp_table *table, const struct preflight_socket *s,
		     const struct tcp *t)
{
	const struct preflight_process *process = &p->processes[s->process];
	const struct preflight_socket *peer;
	char remote[INET6_ADDRSTRLEN] = "";

	if (t->state == TCP_STATE_CLOSE)
		return;
	if (t->state == TCP_STATE_LISTEN && t->waiting) {
		preflight_add(p, CR_PREFLIGHT_ACCEPT, process, s->fd, "%u at port %u", t->waiting, t->local_port);
		return;
	}
	if (tcp_carried(p))
		return;
	if (t->state == TCP_STATE_LISTEN) {
		preflight_add(p, CR_PREFLIGHT_LISTEN, process, s->fd, "port %u", t->local_port);
		preflight_address(p, s, t->local, t->six, t->local_port);
		return;
	}
	address_text(t->remote, t->six, remote);
	peer = tcp_peer(p, table, t);
	if (peer)
		preflight_add(p, CR_PREFLIGHT_TCP_SELF, process, s->fd, "to %s:%u, pid %d descriptor %d", remote,
			      t->remote_port, (int)p->processes[peer->process].pid, peer->fd);
	else
		preflight_add(p, CR_PREFLIGHT_TCP, process, s->fd, "to %s:%u%s", remote, t->remote_port,
			      t->state == TCP_STATE_ESTABLISHED ? "" : ", not established or closing");
}

static const struct cr_preflight_unix *unix_find(const struct cr_preflight_unix *all, size_t n, uint64_t ino)
{
	const struct cr_preflight_unix key = {.ino = ino};

	return ino && n ? bsearch(&key, all, n, sizeof(key), preflight_unix_compare) : NULL;
}

/* criu looks for it in these two places. */
static bool name_leads(const struct preflight *p, const struct preflight_socket *s,
		       const struct cr_preflight_unix *u)
{
	static const char *const from[] = {"cwd", "root"};
	char path[sizeof(u->name) + 32];
	struct stat st;

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		snprintf(path, sizeof(path), "%d/%s/%s", (int)p->processes[s->process].pid, from[i], u->name);
		if (fstatat(p->proc, path, &st, 0) == 0 && (u->vfs == 0 || (uint32_t)st.st_ino == u->vfs))
			return true;
	}
	return false;
}

/* A peer that nobody has open is one that waits to be accepted, which criu knows; or its owner is outside. */
static void unix_look(struct preflight *p, const struct cr_preflight_unix *all, size_t n,
		      const struct preflight_socket *s, const struct cr_preflight_unix *u)
{
	const struct cr_preflight_unix *peer = unix_find(all, n, u->peer);

	/* with CAP_NET_ADMIN, which a network of the job's own brings, criu asks the kernel */
	if (*u->name && *u->name != '@' && *u->name != '/' && !p->job->private_net && !name_leads(p, s, u))
		preflight_add(p, CR_PREFLIGHT_UNIX_NAME, &p->processes[s->process], s->fd, "%s", u->name);
	if (!u->peer)
		preflight_broken(p, s, false);
	if (u->waiting)
		preflight_add(p, CR_PREFLIGHT_ACCEPT, &p->processes[s->process], s->fd, "%u at %s", u->waiting,
			      *u->name ? u->name : "a socket without a name");
	if (!u->peer || preflight_socket_find(p, u->peer))
		return;
	preflight_add(p, CR_PREFLIGHT_UNIX, &p->processes[s->process], s->fd, "%s%s",
		      peer && *peer->name ? "to " : "", peer ? peer->name : "");
}

static bool proto_known(const char *proto)
{
	static const char *const known[] = {"",		"TCP",	     "TCPv6",	    "UDP",     "UDPv6",
					    "UDP-Lite", "UDPLITEv6", "RAW",	    "RAWv6",   "PING",
					    "PINGv6",	"UNIX",	     "UNIX-STREAM", "NETLINK", "PACKET"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(proto, known[i]) == 0)
			return true;
	return false;
}

static void sockets_look(struct preflight *p, const struct tcp_table *table, const struct cr_preflight_unix *all,
			 size_t n)
{
	for (size_t i = 0; i < p->n_sockets && !preflight_late(p); i++) {
		const struct preflight_socket *s = &p->sockets[i];
		const struct tcp key = {.ino = s->ino}, *t = NULL;
		const struct cr_preflight_unix *u = unix_find(all, n, s->ino);

		if (u)
			unix_look(p, all, n, s, u);
		else if (!proto_known(s->proto))
			preflight_add(p, CR_PREFLIGHT_SOCKET, &p->processes[s->process], s->fd, "%s", s->proto);
		if (!u && table->n)
			t = bsearch(&key, table->lines, table->n, sizeof(key), tcp_compare_ino);
		if (t)
			tcp_look(p, table, s, t);
		else if (!u && strncmp(s->proto, "TCP", 3) == 0)
			preflight_broken(p, s, true);
	}
}

int preflight_sockets(struct preflight *p, struct cr_error *err)
{
	cleanup_free struct cr_preflight_unix *asked = NULL;
	const struct cr_preflight_unix *all = p->job->sockets;
	struct tcp_table table = {0};
	size_t n = p->job->n_sockets;
	int rc = 0;

	if (p->n_sockets == 0)
		return 0;
	qsort(p->sockets, p->n_sockets, sizeof(*p->sockets), socket_compare);
	if (!all) {
		rc = preflight_unix(&asked, &n, err);
		all = asked;
	}
	if (rc == 0 && (rc = tcp_read(p, "tcp", false, &table, err)) == 0 &&
	    (rc = tcp_read(p, "tcp6", true, &table, err)) == 0 && (rc = table_sort(&table, err)) == 0)
		sockets_look(p, &table, all, n);
	if (rc == 0) {
		preflight_udp(p);
		preflight_credentials(p);
	}
	free(table.by_ends);
	free(table.lines);
	return rc;
}
