// SPDX-License-Identifier: GPL-2.0-only
/*
 * top: what the vIOMMUs do, live: rates from the counters in debugfs, and how long
 * a MAP or UNMAP takes, by probes around the functions that do them.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kviommu.h"
#include "tracing.h"

#define MAX_COUNTERS	96
#define BUCKETS		24		/* powers of two, in microseconds */

struct counter {
	char name[32];
	unsigned long long value;
};

struct sample {
	struct counter counters[MAX_COUNTERS];
	size_t n;
};

struct watched {
	char uuid[UUID_LEN + 1];
	struct sample last;
	struct watched *next;
};

/* These say what is now; of all others the rate is shown. */
static const char *const gauges[] = {
	"mappings", "mappings_peak", "pinned_bytes", "shadow_bytes", "dropped", NULL
};

static struct watched *all;
static unsigned long long buckets[BUCKETS];

static bool is_gauge(const char *name)
{
	int i;

	for (i = 0; gauges[i]; i++) {
		if (!strcmp(gauges[i], name))
			return true;
	}
	return false;
}

static bool sample_read(const char *uuid, struct sample *s)
{
	char *text = read_file(KVIOMMU_DEBUG "/counters", uuid);
	char *rest = text, *line;

	s->n = 0;
	if (!text)
		return false;
	while (next_line(&rest, &line) && s->n < MAX_COUNTERS) {
		struct counter *c = &s->counters[s->n];

		if (sscanf(line, "%31s %llu", c->name, &c->value) == 2)
			s->n++;
	}
	free(text);
	return true;
}

static struct watched *watched_of(const char *uuid)
{
	struct watched *w;

	for (w = all; w; w = w->next) {
		if (!strcmp(w->uuid, uuid))
			return w;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		die(REFUSED, "no memory");
	strcpy(w->uuid, uuid);
	w->next = all;
	all = w;
	return w;
}

static void print_rates(const struct viommu *v, double seconds)
{
	struct watched *w = watched_of(v->uuid);
	struct sample now;
	size_t i, shown = 0;

	if (!sample_read(v->uuid, &now))
		return;
	printf("%s  %s%s\n", v->uuid, v->model, v->open > 0 ? "" : "  (no VMM)");
	for (i = 0; i < v->nr_endpoints; i++)
		printf("  %s %s\n", v->endpoints[i].host, v->endpoints[i].state);
	for (i = 0; i < now.n; i++) {
		const struct counter *c = &now.counters[i];
		unsigned long long before = 0;

		if (is_gauge(c->name)) {
			printf("  %-22s %14llu\n", c->name, c->value);
			continue;
		}
		/* Opened again, they begin at 0. */
		if (i < w->last.n && w->last.counters[i].value <= c->value)
			before = w->last.counters[i].value;
		if (!c->value)
			continue;
		shown++;
		printf("  %-22s %14llu", c->name, c->value);
		if (w->last.n && seconds > 0)
			printf(" %12.1f/s", (c->value - before) / seconds);
		putchar('\n');
	}
	if (!shown)
		puts("  nothing has happened yet");
	w->last = now;
}

static void latency_add(double microseconds)
{
	unsigned int bucket = 0;

	while (bucket < BUCKETS - 1 && microseconds >= 1) {
		microseconds /= 2;
		bucket++;
	}
	buckets[bucket]++;
}

static void latency_print(void)
{
	unsigned long long most = 0;
	unsigned int i, last = 0;

	for (i = 0; i < BUCKETS; i++) {
		if (buckets[i] > most)
			most = buckets[i];
		if (buckets[i])
			last = i;
	}
	puts("MAP and UNMAP, microseconds:");
	if (!most)
		puts("  none yet");
	for (i = 0; most && i <= last; i++) {
		printf("  %8llu - %-8llu %10llu |", i ? 1ULL << (i - 1) : 0, 1ULL << i,
		       buckets[i]);
		printf("%.*s\n", (int)(buckets[i] * 40 / most),
		       "########################################");
	}
}

/* A line of a probe: the task, the time, which one. In and out of a task alternate. */
static void latency_line(char *line)
{
	static struct { int pid; double at; } begun[64];
	struct trace_line t;
	unsigned int slot;

	if (!trace_parse(line, &t))
		return;
	slot = (unsigned int)t.pid % 64;
	if (strstr(t.event, "_in")) {
		begun[slot].pid = t.pid;
		begun[slot].at = t.seconds;
	} else if (begun[slot].pid == t.pid) {
		latency_add((t.seconds - begun[slot].at) * 1e6);
		begun[slot].pid = 0;
	}
}

static void latency_start(void)
{
	trace_begin();
	trace_probe("p", "map_in", "kviommu_shadow_map");
	trace_probe("r", "map_out", "kviommu_shadow_map");
	trace_probe("p", "unmap_in", "kviommu_shadow_unmap");
	trace_probe("r", "unmap_out", "kviommu_shadow_unmap");
}

int cmd_top(int argc, char **argv)
{
	static const char synopsis[] =
		"top [--delay SECONDS] [--count N] [--latency] [ID]";
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "latency", no_argument, NULL, 'l' },
		{ }
	};
	double delay = 2, last = 0, time;
	unsigned long long count = 0, round;
	char uuid[UUID_LEN + 1] = "";
	bool latency = false, stopped = false;
	struct viommu *list;
	size_t n, i, shown;
	int opt;

	while ((opt = getopt_long(argc, argv, "d:n:l", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			delay = parse_seconds(optarg, "--delay", 0.1);
			break;
		case 'n':
			count = parse_number(optarg, "a count");
			break;
		case 'l':
			latency = true;
			break;
		default:
			misused(synopsis);
		}
	}
	if (optind < argc - 1)
		misused(synopsis);
	if (optind == argc - 1)
		strcpy(uuid, viommu_need_active(argv[optind]).uuid);
	if (!exists("/sys/kernel/debug/kviommu"))
		die(ABSENT, "there is no /sys/kernel/debug/kviommu; be root, mount debugfs, and run: modprobe kviommu_vfio_pci");
	if (latency)
		latency_start();
	for (round = 0; !stopped && (!count || round < count); round++) {
		if (round) {
			if (latency)
				trace_read(delay, latency_line);
			else
				poll(NULL, 0, delay * 1000);
		}
		/* Stopped after this, what came since is for one round more. */
		stopped = trace_stopped;
		if (latency && stopped)
			trace_rest(latency_line);
		time = now();
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		list = viommus(&n);
		for (i = shown = 0; i < n; i++) {
			if (!list[i].active || (*uuid && strcmp(uuid, list[i].uuid)))
				continue;
			print_rates(&list[i], time - last);
			shown++;
		}
		if (*uuid && !shown)
			die(ABSENT, "vIOMMU %s has been removed", uuid);
		if (latency)
			latency_print();
		last = time;
		fflush(stdout);
	}
	return DONE;
}
