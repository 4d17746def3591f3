/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* report.c - machines of 100 to 10,000 nodes under each policy: a table (lost.tsv) or a plot (lost.svg) on stdout
 *
 *   report table|plot
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "interval.h"
#include "machine.h"

#define DAY	   86400.0
#define NODES_MAX  5
#define NODE_DAYS  20000 /* of each number: smaller machines are run several times */
#define LENGTH_DAY 2
#define MTBF	   (30 * 86400)

static const unsigned sizes[NODES_MAX] = {100, 300, 1000, 3000, 10000};

static const struct machine_world usual = {
	.length = LENGTH_DAY * DAY,
	.mtbf = MTBF,
	.restart = 180,
	.fs_bandwidth = 20e9,
	.node_bandwidth = 2e9,
	.freeze_rate = 2e9,
	.freeze_fixed = 0.05,
	.compress_rate = 30e9,
	.ratio = 3,
	.new_part = 0.3,
	.memory = {8e9, 32e9, 128e9},
	.share = {0.5, 0.3, 0.2},
	.work_min = 2 * 3600,
	.work_max = 46 * 3600,
	.limit_min = 12 * 3600,
	.limit_max = 24 * 3600,
};

#define HOUR 3600
#define AUTO CR_INTERVAL_AUTO

static const struct {
	const char *name;
	const char *colour; /* in the plot; NULL: not in it */
	enum { LIMITS, SAME_LIMIT, NO_LIMIT } limit;
	struct machine_policy policy;
} rows[] = {
	/* in the policies: every, mtbf=, spread, only what is new, a last one, tokens, bandwidth */
	{"no checkpoints (and no time limit)", "#888888", NO_LIMIT, {false, 0, 0, false, false, false, 0, 0}},
	{"every 1 h and nothing else", "#cc3333", LIMITS, {true, HOUR, MTBF, false, false, false, 0, 0}},
	{"every 1 h, only what is new", "#dd8833", LIMITS, {true, HOUR, MTBF, false, true, false, 0, 0}},
	{"every 1 h, only what is new, spread", "#bbaa22", LIMITS, {true, HOUR, MTBF, true, true, false, 0, 0}},
	{"every 1 h, all policies", "#3366cc", LIMITS, {true, HOUR, MTBF, true, true, true, 16, 0}},
	{"auto, all policies", "#228833", LIMITS, {true, AUTO, MTBF, true, true, true, 16, 0}},
	{"auto, all of the memory each time", NULL, LIMITS, {true, AUTO, MTBF, true, false, true, 16, 0}},
	{"auto, not spread", NULL, LIMITS, {true, AUTO, MTBF, false, true, true, 16, 0}},
	{"auto, no tokens", NULL, LIMITS, {true, AUTO, MTBF, true, true, true, 0, 0}},
	{"auto, 4 tokens", NULL, LIMITS, {true, AUTO, MTBF, true, true, true, 4, 0}},
	{"auto, 64 tokens", NULL, LIMITS, {true, AUTO, MTBF, true, true, true, 64, 0}},
	{"auto, 200 MB/s a job", NULL, LIMITS, {true, AUTO, MTBF, true, true, true, 16, 200e6}},
	{"auto, no last checkpoint", NULL, LIMITS, {true, AUTO, MTBF, true, true, false, 16, 0}},
	{"auto, all policies, one time limit for all",
	 NULL,
	 SAME_LIMIT,
	 {true, AUTO, MTBF, true, true, true, 16, 0}},
	{"auto, mtbf= ten times too long", NULL, LIMITS, {true, AUTO, 10 * MTBF, true, true, true, 16, 0}},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void result_add(struct machine_result *sum, const struct machine_result *one)
{
	sum->useful += one->useful;
	sum->frozen += one->frozen;
	sum->slowed += one->slowed;
	sum->redone += one->redone;
	sum->waiting += one->waiting;
	sum->drain_sum += one->drain_sum;
	sum->drain_max = fmax(sum->drain_max, one->drain_max);
	sum->checkpoints += one->checkpoints;
	sum->impatient += one->impatient;
	if (one->writers_max > sum->writers_max)
		sum->writers_max = one->writers_max;
}

static int row_run(size_t row, unsigned nodes, struct machine_result *sum)
{
	struct machine_world world = usual;
	unsigned times = NODE_DAYS / (nodes * LENGTH_DAY);

	*sum = (struct machine_result){0};
	world.nodes = nodes;
	if (rows[row].limit == SAME_LIMIT)
		world.limit_min = world.limit_max;
	if (rows[row].limit == NO_LIMIT)
		world.limit_min = world.limit_max = 0;
	for (unsigned i = 0; i < (times ? times : 1); i++) {
		struct machine_result one;

		/* the same failures and jobs for every policy */
		world.seed = 1000 * nodes + i;
		if (machine_run(&world, &rows[row].policy, &one) < 0)
			return -1;
		result_add(sum, &one);
	}
	return 0;
}

static double whole(const struct machine_result *r)
{
	return r->useful + r->frozen + r->slowed + r->redone + r->waiting;
}

static double percent(const struct machine_result *r, double seconds)
{
	return 100 * seconds / whole(r);
}

static int table(void)
{
	printf("nodes\tpolicy\tlost %%\tfrozen %%\tslowed %%\tredone %%\twaiting %%\tcheckpoints per job and day\t"
	       "mean drain s\tlongest drain s\twriters at most\twithout a token\n");
	for (size_t row = 0; row < ROWS; row++) {
		for (int k = 0; k < NODES_MAX; k++) {
			struct machine_result r;
			double n;

			if (row_run(row, sizes[k], &r) < 0)
				return -1;
			n = (double)r.checkpoints;
			printf("%u\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.1f\t%.0f\t%.0f\t%u\t%llu\n", sizes[k],
			       rows[row].name, 100 - percent(&r, r.useful), percent(&r, r.frozen),
			       percent(&r, r.slowed), percent(&r, r.redone), percent(&r, r.waiting),
			       n * DAY / whole(&r), n > 0 ? r.drain_sum / n : 0, r.drain_max, r.writers_max,
			       (unsigned long long)r.impatient);
			fflush(stdout);
		}
	}
	return 0;
}

/* ---- the plot, from the table ---- */

#define LEFT   60
#define TOP    20
#define WIDTH  520
#define HEIGHT 340
#define MOST   5.0 /* percent; what is above goes off the top */

static double plot_x(double nodes)
{
	return LEFT + WIDTH * (log10(nodes) - 2) / 2;
}

static double plot_y(double lost)
{
	return TOP + HEIGHT * (1 - (lost < MOST ? lost : MOST) / MOST);
}

static void plot_frame(void)
{
	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
	       "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
	       LEFT + WIDTH + 20, TOP + HEIGHT + 170);
	for (int lost = 0; lost <= (int)MOST; lost++)
		printf("<path d=\"M%d %.1fh%d\" stroke=\"#dddddd\"/><text x=\"%d\" y=\"%.1f\" "
		       "text-anchor=\"end\">%d%%</text>\n",
		       LEFT, plot_y(lost), WIDTH, LEFT - 6, plot_y(lost) + 4, lost);
	for (int k = 0; k < NODES_MAX; k++)
		printf("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%u</text>\n", plot_x(sizes[k]),
		       TOP + HEIGHT + 18, sizes[k]);
	printf("<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">nodes</text>\n", LEFT + WIDTH / 2,
	       TOP + HEIGHT + 36);
	printf("<text x=\"14\" y=\"%d\" transform=\"rotate(-90 14 %d)\" text-anchor=\"middle\">share of machine "
	       "time "
	       "lost</text>\n",
	       TOP + HEIGHT / 2, TOP + HEIGHT / 2);
}

static void plot_line(size_t row, const double lost[NODES_MAX], int line)
{
	int y = TOP + HEIGHT + 56 + 17 * line;

	printf("<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", rows[row].colour);
	for (int k = 0; k < NODES_MAX; k++)
		printf("%c%.1f %.1f", k ? 'L' : 'M', plot_x(sizes[k]), plot_y(lost[k]));
	printf("\"/>\n<path stroke-width=\"2\" stroke=\"%s\" d=\"M%d %dh24\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
	       rows[row].colour, LEFT, y - 4, LEFT + 32, y, rows[row].name);
}

/* Reads a table from stdin. */
static int plot(void)
{
	double lost[ROWS][NODES_MAX] = {0};
	char line[512], name[128];
	unsigned nodes;
	double value;
	int drawn = 0;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%u\t%127[^\t]\t%lf", &nodes, name, &value) != 3)
			continue;
		for (size_t row = 0; row < ROWS; row++)
			for (int k = 0; k < NODES_MAX; k++)
				if (sizes[k] == nodes && strcmp(rows[row].name, name) == 0)
					lost[row][k] = value;
	}
	plot_frame();
	for (size_t row = 0; row < ROWS; row++)
		if (rows[row].colour)
			plot_line(row, lost[row], drawn++);
	printf("</svg>\n");
	return 0;
}

int main(int argc, char **argv)
{
	int rc = -1;

	if (argc == 2 && strcmp(argv[1], "table") == 0)
		rc = table();
	else if (argc == 2 && strcmp(argv[1], "plot") == 0)
		rc = plot();
	else
		fprintf(stderr, "usage: report table >lost.tsv; report plot <lost.tsv >lost.svg\n");
	return rc < 0;
}
