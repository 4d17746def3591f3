/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "netlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "cleanup.h"

#define CRIU_MARK    0xC114 /* on the packets that criu sends in a peer's name */
#define TABLE	     "spank_cr"
#define SURELY_MS    100
#define SURELY_TRIES 20

/* Out, and in as well: what was on its way when the first of them came. */
static const struct {
	const char *name;
	uint32_t hook;
} chains[] = {
	{"output", NF_INET_LOCAL_OUT},
	{"input", NF_INET_LOCAL_IN},
};

/* Messages of one transaction, one behind the other. */
struct batch {
	char data[2048];
	size_t used;
	size_t message; /* where the last one begins */
	int replies;
};

static void bytes_add(struct batch *b, const void *data, size_t size)
{
	memcpy(b->data + b->used, data, size);
	b->used += size;
	while (b->used % NLMSG_ALIGNTO)
		b->data[b->used++] = '\0';
}

static void length_set(struct batch *b, size_t at, size_t length, bool attribute)
{
	uint32_t whole = (uint32_t)length;
	uint16_t half = (uint16_t)length;

	memcpy(b->data + at, attribute ? (void *)&half : (void *)&whole, attribute ? sizeof(half) : sizeof(whole));
}

static void message_begin(struct batch *b, int type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr header = {.nlmsg_type = (uint16_t)type, .nlmsg_flags = NLM_F_REQUEST | flags};
	struct nfgenmsg general = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};

	b->message = b->used;
	b->replies += flags & NLM_F_ACK ? 1 : 0;
	bytes_add(b, &header, sizeof(header));
	bytes_add(b, &general, sizeof(general));
}

static void message_end(struct batch *b)
{
	length_set(b, b->message, b->used - b->message, false);
}

static void table_begin(struct batch *b, int type, uint16_t flags)
{
	message_begin(b, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | flags, NFPROTO_INET, 0);
}

static size_t nest_begin(struct batch *b, uint16_t type)
{
	struct nlattr head = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};
	size_t at = b->used;

	bytes_add(b, &head, sizeof(head));
	return at;
}

static void nest_end(struct batch *b, size_t at)
{
	length_set(b, at, b->used - at, true);
}

static void attribute_add(struct batch *b, uint16_t type, const void *data, size_t size)
{
	struct nlattr head = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};

	bytes_add(b, &head, sizeof(head));
	bytes_add(b, data, size);
}

static void text_add(struct batch *b, uint16_t type, const char *text)
{
	attribute_add(b, type, text, strlen(text) + 1);
}

static void number_add(struct batch *b, uint16_t type, uint32_t number)
{
	uint32_t big = htonl(number);

	attribute_add(b, type, &big, sizeof(big));
}

/* An expression of a rule; its attributes follow. ends: for expression_end. */
static void expression_begin(struct batch *b, const char *name, size_t ends[2])
{
	ends[0] = nest_begin(b, NFTA_LIST_ELEM);
	text_add(b, NFTA_EXPR_NAME, name);
	ends[1] = nest_begin(b, NFTA_EXPR_DATA);
}

static void expression_end(struct batch *b, const size_t ends[2])
{
	nest_end(b, ends[1]);
	nest_end(b, ends[0]);
}

static void chain_add(struct batch *b, const char *name, uint32_t hooknum)
{
	size_t hook;

	table_begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	text_add(b, NFTA_CHAIN_TABLE, TABLE);
	text_add(b, NFTA_CHAIN_NAME, name);
	hook = nest_begin(b, NFTA_CHAIN_HOOK);
	number_add(b, NFTA_HOOK_HOOKNUM, hooknum);
	number_add(b, NFTA_HOOK_PRIORITY, 0);
	nest_end(b, hook);
	text_add(b, NFTA_CHAIN_TYPE, "filter");
	message_end(b);
}

/* meta KEY OP VALUE: the rule goes on where that is so */
static void meta_add(struct batch *b, uint32_t key, uint32_t op, const void *value, size_t size)
{
	size_t ends[2], data;

	expression_begin(b, "meta", ends);
	number_add(b, NFTA_META_KEY, key);
	number_add(b, NFTA_META_DREG, NFT_REG_1);
	expression_end(b, ends);
	expression_begin(b, "cmp", ends);
	number_add(b, NFTA_CMP_SREG, NFT_REG_1);
	number_add(b, NFTA_CMP_OP, op);
	data = nest_begin(b, NFTA_CMP_DATA);
	attribute_add(b, NFTA_DATA_VALUE, value, size);
	nest_end(b, data);
	expression_end(b, ends);
}

/* meta l4proto tcp meta mark != CRIU_MARK drop */
static void rule_add(struct batch *b, const char *chain)
{
	const uint32_t mark = CRIU_MARK;
	const uint8_t tcp = IPPROTO_TCP;
	size_t expressions, ends[2], data, verdict;

	table_begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	text_add(b, NFTA_RULE_TABLE, TABLE);
	text_add(b, NFTA_RULE_CHAIN, chain);
	expressions = nest_begin(b, NFTA_RULE_EXPRESSIONS);
	meta_add(b, NFT_META_L4PROTO, NFT_CMP_EQ, &tcp, sizeof(tcp));
	meta_add(b, NFT_META_MARK, NFT_CMP_NEQ, &mark, sizeof(mark));
	expression_begin(b, "immediate", ends);
	number_add(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest_begin(b, NFTA_IMMEDIATE_DATA);
	verdict = nest_begin(b, NFTA_DATA_VERDICT);
	number_add(b, NFTA_VERDICT_CODE, NF_DROP);
	nest_end(b, verdict);
	nest_end(b, data);
	expression_end(b, ends);
	nest_end(b, expressions);
	message_end(b);
}

static void batch_fill(struct batch *b, bool hold)
{
	memset(b, 0, sizeof(*b));
	message_begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
	table_begin(b, hold ? NFT_MSG_NEWTABLE : NFT_MSG_DELTABLE, hold ? NLM_F_CREATE : 0);
	text_add(b, NFTA_TABLE_NAME, TABLE);
	message_end(b);
	for (size_t i = 0; hold && i < sizeof(chains) / sizeof(chains[0]); i++) {
		chain_add(b, chains[i].name, chains[i].hook);
		rule_add(b, chains[i].name);
	}
	message_begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
}

/* The kernel's errno in one packet of replies: the first one that is not 0. *replies counts them. */
static int replies_read(const char *data, size_t size, int *replies)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) + sizeof(int32_t) <= size;) {
		struct nlmsghdr header;
		int32_t error;

		memcpy(&header, data + at, sizeof(header));
		memcpy(&error, data + at + sizeof(header), sizeof(error));
		if (header.nlmsg_type != NLMSG_ERROR || header.nlmsg_len < sizeof(header))
			return EPROTO;
		if (error)
			return -error;
		(*replies)++;
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
	return 0;
}

/* Returns 0, or an errno: all of the batch is done, or nothing. */
static int batch_send(const struct batch *b)
{
	const struct timeval patience = {.tv_sec = 5};
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char data[4096];
	int replies = 0, rc = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, b->data, b->used, 0) != (ssize_t)b->used)
		return errno;
	while (rc == 0 && replies < b->replies) {
		ssize_t n = recv(fd, data, sizeof(data), 0);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? errno : replies_read(data, (size_t)n, &replies);
	}
	return rc;
}

static int lock_set(bool hold)
{
	struct batch b;

	batch_fill(&b, hold);
	return batch_send(&b);
}

int netlock_hold(struct cr_error *err)
{
	int rc = lock_set(true);

	return rc ? cr_error_sys(err, rc, "keeping the job's network still (the kernel's nftables)") : 0;
}

int netlock_release(struct cr_error *err)
{
	int rc = lock_set(false);

	/* it was not held, or the kernel has no nftables */
	if (rc == 0 || rc == ENOENT || rc == EPROTONOSUPPORT || rc == EOPNOTSUPP)
		return 0;
	return cr_error_sys(err, rc, "letting the job's network go on");
}

int netlock_release_surely(struct cr_error *err)
{
	for (int i = 0; i < SURELY_TRIES; i++) {
		if (netlock_release(err) == 0)
			return 0;
		poll(NULL, 0, SURELY_MS);
	}
	return -1;
}
