/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "machine.h"

#include <math.h>
#include <stdlib.h>

#include "cost.h"
#include "interval.h"
#include "queue.h"
#include "ticket.h"
#include "token.h"

#define DRAIN_SHARE 75
#define MAX_SHARE   5
#define MOST_S	    (6 * 3600)
#define TICKET	    48	   /* all of its name but what is random */
#define LEAD_MS	    120000 /* before the limit, with nothing known */

enum event { FAIL, START, DONE, DUE, THAW, LAST, LIMIT, PATIENCE, FLOW };

/* What is written, or read at a restart. */
enum flow { NO_FLOW, WRITE, WRITE_FINAL, READ };

struct node {
	/* the job */
	double work, saved, total; /* done, in the newest checkpoint, all of it */
	double memory, limit;
	uint32_t job, restart;
	/* this start of it */
	double since; /* when the present state began */
	bool runs;    /* work is done */
	bool frozen;
	bool worker; /* a checkpoint is being made */
	bool final;  /* the last one */
	double end;  /* by the time limit */
	bool has_token;
	bool waits;			     /* for a token */
	double begun, thawed, freeze, image; /* of the checkpoint that is being made: image is the work in it */
	struct cr_cost cost;
	struct cr_interval interval;
	unsigned ticket;
	enum flow flow;
	unsigned stamp;	     /* of the events of this start */
	unsigned done_stamp; /* of the last DONE */
	unsigned flow_stamp;
	bool first_written;
};

struct machine {
	const struct machine_world *world;
	const struct machine_policy *policy;
	struct machine_result *result;
	struct node *nodes;
	struct queue events, waiting;
	char (*tickets)[TICKET];
	unsigned n_tickets;
	unsigned plan; /* the newest event for a flow */
	double now;
	/* those who keep to bandwidth=, and the others */
	struct {
		struct queue flows;
		double served; /* bytes that each of them has got so far */
		unsigned active;
	} classes[2];
	double served_at; /* when that was so */
	unsigned writers, holders;
	uint64_t random;
	uint32_t next_job;
	bool broken; /* no memory */
};

/* ---- chance ---- */

static double uniform(struct machine *m)
{
	uint64_t x = m->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((x ^ (x >> 31)) >> 11) / (double)(UINT64_C(1) << 53);
}

static double exponential(struct machine *m, double mean)
{
	return -mean * log(1 - uniform(m));
}

/* ---- events ---- */

static void event_put(struct machine *m, unsigned node, enum event what, double at, unsigned stamp)
{
	if (queue_put(&m->events, (struct queue_item){at, node, what, stamp}) < 0)
		m->broken = true;
}

/* Count what this node has done since its state began. */
static void node_account(struct machine *m, struct node *n)
{
	double passed = m->now - n->since;

	n->since = m->now;
	if (n->frozen)
		m->result->frozen += passed;
	else if (n->runs)
		n->work += passed;
	else
		m->result->waiting += passed;
}

static void done_plan(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	n->done_stamp++;
	if (n->runs && !n->frozen)
		event_put(m, i, DONE, m->now + n->total - n->work, n->done_stamp);
}

/* ---- the file system: all get the same, so what counts is how much each has got so far ---- */

enum { LIMITED, OTHERS };

/* bandwidth= is for what is written while the job runs. */
static int class_of(enum flow flow)
{
	return flow == WRITE ? LIMITED : OTHERS;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* What each of a class gets: the same for all, but for what those leave who keep to less. */
static double rate(const struct machine *m, int class)
{
	const double limited = m->classes[LIMITED].active, others = m->classes[OTHERS].active;
	const double even = m->world->fs_bandwidth / (limited + others), node = m->world->node_bandwidth;
	const double mine = m->policy->bandwidth > 0 ? least(m->policy->bandwidth, node) : node;

	if (class == LIMITED)
		return least(even, mine);
	return least(even > mine ? (m->world->fs_bandwidth - limited * mine) / others : even, node);
}

static void flows_serve(struct machine *m)
{
	for (int c = 0; c < 2; c++)
		if (m->classes[c].active)
			m->classes[c].served += rate(m, c) * (m->now - m->served_at);
	m->served_at = m->now;
}

/* When the next one has all it wants; only the newest such event counts. */
static void flows_plan(struct machine *m)
{
	double at = INFINITY;
	unsigned node = 0;

	for (int c = 0; c < 2; c++) {
		struct queue *q = &m->classes[c].flows;
		double left;

		while (q->n && m->nodes[q->items[0].node].flow_stamp != q->items[0].stamp)
			(void)queue_take(q);
		if (!q->n)
			continue;
		left = q->items[0].key - m->classes[c].served;
		left = m->now + (left > 0 ? left / rate(m, c) : 0);
		if (left < at) {
			at = left;
			node = q->items[0].node;
		}
	}
	m->plan++;
	if (at < INFINITY)
		event_put(m, node, FLOW, at, m->plan);
}

static void flow_begin(struct machine *m, unsigned i, enum flow flow, double bytes)
{
	struct node *n = &m->nodes[i];

	flows_serve(m);
	n->flow = flow;
	n->flow_stamp++;
	m->classes[class_of(flow)].active++;
	if (flow != READ && ++m->writers > m->result->writers_max)
		m->result->writers_max = m->writers;
	*(flow == READ ? &m->result->read : &m->result->written) += bytes;
	if (queue_put(&m->classes[class_of(flow)].flows,
		      (struct queue_item){m->classes[class_of(flow)].served + bytes, i, 0, n->flow_stamp}) < 0)
		m->broken = true;
	flows_plan(m);
}

static void flow_end(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	if (n->flow == NO_FLOW)
		return;
	flows_serve(m);
	m->classes[class_of(n->flow)].active--;
	m->writers -= n->flow != READ;
	n->flow = NO_FLOW;
	n->flow_stamp++;
	flows_plan(m);
}

/* ---- a checkpoint ---- */

static double bytes_new(const struct machine *m, const struct node *n)
{
	return n->memory * (m->policy->incremental && n->first_written ? m->world->new_part : 1);
}

static bool ticket_before(const struct queue_item *a, const struct queue_item *b, void *arg)
{
	const struct machine *m = arg;

	return cr_ticket_before(m->tickets[a->what], m->tickets[b->what]);
}

static void write_begin(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	n->waits = false;
	flow_begin(m, i, n->final ? WRITE_FINAL : WRITE, bytes_new(m, n) / m->world->ratio);
}

/* As many as may, the first first. Who has gone meanwhile is passed over. */
static void tokens_give(struct machine *m)
{
	while (m->waiting.n && m->holders < m->policy->drain_jobs) {
		struct queue_item item = queue_take(&m->waiting);
		struct node *n = &m->nodes[item.node];

		if (!n->waits || n->ticket != item.what)
			continue;
		n->has_token = true;
		if (++m->holders > m->result->tokens_max)
			m->result->tokens_max = m->holders;
		write_begin(m, item.node);
	}
}

static void token_drop(struct machine *m, struct node *n)
{
	n->waits = false;
	if (!n->has_token)
		return;
	n->has_token = false;
	m->holders--;
	tokens_give(m);
}

/* Tickets stay where they are: what is in a queue may not change its place. */
static int ticket_make(struct machine *m, struct node *n)
{
	if ((m->n_tickets & (m->n_tickets - 1)) == 0) {
		unsigned room = m->n_tickets ? 2 * m->n_tickets : 1;
		void *more = realloc(m->tickets, room * sizeof(*m->tickets));

		if (!more)
			return -1;
		m->tickets = more;
	}
	n->ticket = m->n_tickets++;
	cr_ticket_prefix(m->tickets[n->ticket], TICKET, (uint64_t)(n->work - n->saved), n->job, "batch.0");
	return 0;
}

static void token_want(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	n->waits = true;
	if (ticket_make(m, n) < 0 || queue_put(&m->waiting, (struct queue_item){0, i, n->ticket, 0}) < 0)
		m->broken = true;
	if (m->broken)
		return;
	event_put(m, i, PATIENCE, m->now + CR_TOKEN_PATIENCE_MS / 1000.0, n->stamp);
	tokens_give(m);
}

static void checkpoint_begin(struct machine *m, unsigned i, bool final)
{
	struct node *n = &m->nodes[i];

	node_account(m, n);
	n->frozen = n->worker = true;
	n->final = final;
	n->begun = m->now;
	n->image = n->work;
	n->freeze = m->world->freeze_fixed + n->memory / m->world->freeze_rate;
	done_plan(m, i);
	event_put(m, i, THAW, m->now + n->freeze, n->stamp);
}

static void due_plan(struct machine *m, unsigned i, double at)
{
	event_put(m, i, DUE, at > m->now ? at : m->now, m->nodes[i].stamp);
}

static void thaw(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	/* a final one is written while the job stands still */
	if (n->final) {
		write_begin(m, i);
		return;
	}
	node_account(m, n);
	n->frozen = false;
	n->thawed = m->now;
	done_plan(m, i);
	if (m->policy->drain_jobs)
		token_want(m, i);
	else
		write_begin(m, i);
}

static void interval_choose(struct machine *m, struct node *n)
{
	const struct cr_interval_policy policy = {
		.every_s = m->policy->every_s,
		.least_s = 1,
		.most_s = MOST_S,
		.mtbf_s = m->policy->mtbf_s,
		.nodes = 1,
		.max_share = MAX_SHARE,
		.drain_share = DRAIN_SHARE,
	};

	cr_interval_choose(&policy, &n->cost, &n->interval);
}

static void committed(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];
	double drain = m->now - n->thawed, lost = bytes_new(m, n) / m->world->compress_rate;

	node_account(m, n);
	/* what compressing took of the node is work that was not done */
	lost = lost < drain * DRAIN_SHARE / 100 ? lost : drain * DRAIN_SHARE / 100;
	n->work -= lost;
	m->result->slowed += lost;
	done_plan(m, i);
	n->worker = false;
	n->first_written = true;
	n->saved = n->image;
	cr_cost_add(&n->cost, (int64_t)(n->freeze * 1000), (int64_t)((m->now - n->begun) * 1000));
	if (drain > 0)
		cr_cost_add_drain(&n->cost, 1, 1 - lost / drain, (int64_t)(drain * 1000));
	m->result->checkpoints++;
	m->result->drain_sum += drain;
	if (drain > m->result->drain_max)
		m->result->drain_max = drain;
	interval_choose(m, n);
	due_plan(m, i, n->begun + (double)n->interval.ms / 1000);
	token_drop(m, n);
}

/* ---- a job ---- */

static void job_new(struct machine *m, struct node *n)
{
	const struct machine_world *w = m->world;
	double x = uniform(m);
	int kind = x < w->share[0] ? 0 : x < w->share[0] + w->share[1] ? 1 : 2;

	n->work = n->saved = 0;
	n->total = w->work_min + uniform(m) * (w->work_max - w->work_min);
	n->limit = w->limit_min + uniform(m) * (w->limit_max - w->limit_min);
	n->memory = w->memory[kind];
	n->job = ++m->next_job;
	n->restart = 0;
	n->cost = (struct cr_cost){0};
	n->first_written = false;
}

/* Nothing that was planned for this start of the job is to happen. */
static void node_stop(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	node_account(m, n);
	flow_end(m, i);
	n->stamp++;
	n->runs = n->frozen = n->worker = n->final = false;
	token_drop(m, n);
}

static void node_run(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];
	node_account(m, n);
	n->runs = true;
	done_plan(m, i);
	if (n->limit > 0) {
		n->end = m->now + n->limit;
		event_put(m, i, LIMIT, n->end, n->stamp);
	}
	if (!m->policy->checkpoints)
		return;
	if (n->limit > 0 && m->policy->final)
		event_put(m, i, LAST, m->now + n->limit / 2, n->stamp);
	interval_choose(m, n);
	due_plan(m, i,
		 m->now + (double)(m->policy->jitter ? cr_interval_first_ms(n->interval.ms,
									    cr_interval_seed(n->job, n->restart))
						     : n->interval.ms) /
				  1000);
}

/* The job starts again on this node, from what was saved of it. */
static void node_again(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	m->result->redone += n->work - n->saved;
	n->work = n->saved;
	n->restart++;
	if (n->saved > 0)
		flow_begin(m, i, READ, n->memory / m->world->ratio);
	else
		node_run(m, i);
}

static void failed(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	m->result->failures++;
	node_stop(m, i);
	m->result->redone += n->work - n->saved;
	n->work = n->saved;
	event_put(m, i, START, m->now + m->world->restart, n->stamp);
	event_put(m, i, FAIL, m->now + exponential(m, m->world->mtbf), 0);
}

/* Is it time for the last one? What checkpoints take may be another by then. */
static void last_look(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];
	double lead = (double)cr_cost_lead_ms(&n->cost, LEAD_MS) / 1000;

	if (m->now + lead < n->end - 1) {
		event_put(m, i, LAST, n->end - lead, n->stamp);
		return;
	}
	/* one that is being written is older than what this one will hold */
	flow_end(m, i);
	token_drop(m, n);
	checkpoint_begin(m, i, true);
}

static void limit_reached(struct machine *m, unsigned i)
{
	m->result->limits++;
	node_stop(m, i);
	node_again(m, i);
}

static void flow_over(struct machine *m, unsigned i)
{
	enum flow flow = m->nodes[i].flow;

	flow_end(m, i);
	if (flow == READ) {
		node_run(m, i);
	} else if (flow == WRITE) {
		committed(m, i);
	} else {
		m->result->limits++;
		m->nodes[i].saved = m->nodes[i].image;
		m->nodes[i].first_written = true;
		node_stop(m, i);
		node_again(m, i);
	}
}

static void job_done(struct machine *m, unsigned i)
{
	struct node *n = &m->nodes[i];

	node_stop(m, i);
	m->result->useful += n->work;
	job_new(m, n);
	node_run(m, i);
}

static bool stale(const struct machine *m, const struct queue_item *e)
{
	const struct node *n = &m->nodes[e->node];

	if (e->what == FLOW)
		return e->stamp != m->plan;
	if (e->what == FAIL)
		return false;
	if (e->what == DONE)
		return e->stamp != n->done_stamp;
	return e->stamp != n->stamp;
}

static void event_happen(struct machine *m, const struct queue_item *e)
{
	struct node *n = &m->nodes[e->node];

	switch (e->what) {
	case FAIL:
		failed(m, e->node);
		break;
	case START:
		node_account(m, n);
		node_again(m, e->node);
		break;
	case DONE:
		job_done(m, e->node);
		break;
	case DUE:
		if (n->worker)
			break; /* only a final one: it is the last */
		checkpoint_begin(m, e->node, false);
		break;
	case THAW:
		/* a final one may have taken its place */
		if (n->frozen && m->now >= n->begun + n->freeze - 1e-6)
			thaw(m, e->node);
		break;
	case LAST:
		last_look(m, e->node);
		break;
	case LIMIT:
		limit_reached(m, e->node);
		break;
	case PATIENCE:
		if (n->waits && m->now >= n->thawed + CR_TOKEN_PATIENCE_MS / 1000.0 - 1e-6) {
			m->result->impatient++;
			write_begin(m, e->node);
		}
		break;
	case FLOW:
		flow_over(m, e->node);
		break;
	default:
		break;
	}
}

static void machine_start(struct machine *m)
{
	for (unsigned i = 0; i < m->world->nodes; i++) {
		job_new(m, &m->nodes[i]);
		if (m->world->mtbf > 0)
			event_put(m, i, FAIL, exponential(m, m->world->mtbf), 0);
		node_run(m, i);
	}
}

static void machine_go(struct machine *m)
{
	while (!m->broken && m->events.n && m->events.items[0].key <= m->world->length) {
		struct queue_item e = queue_take(&m->events);

		m->now = e.key;
		if (!stale(m, &e))
			event_happen(m, &e);
	}
	m->now = m->world->length;
	for (unsigned i = 0; i < m->world->nodes; i++) {
		node_account(m, &m->nodes[i]);
		m->result->useful += m->nodes[i].work;
	}
}

int machine_run(const struct machine_world *world, const struct machine_policy *policy,
		struct machine_result *result)
{
	struct machine m = {.world = world, .policy = policy, .result = result, .random = world->seed};

	*result = (struct machine_result){0};
	m.nodes = calloc(world->nodes, sizeof(*m.nodes));
	if (!m.nodes)
		return -1;
	m.waiting.before = ticket_before;
	m.waiting.arg = &m;
	machine_start(&m);
	machine_go(&m);
	queue_clear(&m.events);
	queue_clear(&m.classes[LIMITED].flows);
	queue_clear(&m.classes[OTHERS].flows);
	queue_clear(&m.waiting);
	free(m.tickets);
	free(m.nodes);
	return m.broken ? -1 : 0;
}
