// SPDX-License-Identifier: GPL-2.0-only
/*
 * An instance of tracefs for this program alone: what others trace is not touched,
 * and all of it goes at the end, whichever signal brings it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kviommu.h"
#include "tracing.h"

#define TRACING		"/sys/kernel/tracing"
/* Without O_TRUNC a write adds to it. */
#define KPROBES		TRACING "/kprobe_events"
#define MAX_PROBES	8

volatile sig_atomic_t trace_stopped;

static char *instance, *probes[MAX_PROBES];
static int nr_probes, pipe_fd = -1;

static void stop(int signal)
{
	(void)signal;
	trace_stopped = 1;
}

static void trace_end(void)
{
	char *text;

	if (pipe_fd >= 0)
		close(pipe_fd);
	write_file("0", "%s/events/enable", instance);
	rmdir(instance);
	while (nr_probes--) {
		text = format("-:%s\n", probes[nr_probes]);
		write_file(text, KPROBES);
		free(text);
	}
}

void trace_begin(void)
{
	struct sigaction act = { .sa_handler = stop };
	char *path;

	if (!exists(TRACING "/instances"))
		die(ABSENT, "there is no tracefs; be root, and run: mount -t tracefs none /sys/kernel/tracing");
	instance = format(TRACING "/instances/kviommu-%d", getpid());
	if (mkdir(instance, 0700))
		die(REFUSED, "cannot make %s: %s; be root", instance, strerror(errno));
	atexit(trace_end);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	/* Who reads has seen enough. */
	sigaction(SIGPIPE, &act, NULL);
	path = format("%s/trace_pipe", instance);
	pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe_fd < 0)
		die(REFUSED, "cannot read %s: %s", path, strerror(errno));
	free(path);
}

/* An event of kviommu; only what is about one vIOMMU, if that is given */
void trace_event(const char *name, const char *uuid)
{
	char *filter;
	int rc;

	if (!exists("%s/events/kviommu/%s", instance, name))
		die(USAGE, "there is no event '%s'; see: ls " TRACING "/events/kviommu", name);
	if (uuid && *uuid) {
		filter = format("dev == \"%s\"", uuid);
		rc = write_file(filter, "%s/events/kviommu/%s/filter", instance, name);
		free(filter);
		if (rc)
			die(REFUSED, "cannot filter %s: %s", name, strerror(rc));
	}
	rc = write_file("1", "%s/events/kviommu/%s/enable", instance, name);
	if (rc)
		die(REFUSED, "cannot turn %s on: %s", name, strerror(rc));
}

/* kind "p": when the function is entered; "r": when it returns */
void trace_probe(const char *kind, const char *name, const char *function)
{
	char *event = format("kviommu_top_%d/%s", getpid(), name);
	char *text = format("%s:%s %s\n", kind, event, function);
	int rc = write_file(text, KPROBES);

	if (rc)
		die(rc == ENOENT ? ABSENT : REFUSED,
		    "cannot probe %s: %s; --latency needs CONFIG_KPROBE_EVENTS and the module loaded",
		    function, strerror(rc));
	free(text);
	probes[nr_probes++] = event;
	rc = write_file("1", "%s/events/%s/enable", instance, event);
	if (rc)
		die(REFUSED, "cannot turn the probe of %s on: %s", function, strerror(rc));
}

/* Whole lines of what there is; false if there is nothing */
static bool read_some(void (*line)(char *line))
{
	static char buffer[65536];
	static size_t have;
	char *begin = buffer, *newline;
	ssize_t n;

	n = read(pipe_fd, buffer + have, sizeof(buffer) - 1 - have);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die(REFUSED, "cannot read the trace: %s", strerror(errno));
	if (n <= 0)
		return n < 0 && errno == EINTR;
	have += n;
	buffer[have] = 0;
	while ((newline = strchr(begin, '\n'))) {
		*newline = 0;
		line(begin);
		begin = newline + 1;
	}
	have -= begin - buffer;
	memmove(buffer, begin, have);
	/* Nothing of ours is that long. */
	if (have == sizeof(buffer) - 1)
		have = 0;
	return true;
}

/* What comes within some seconds, line by line; less than 0: until stopped */
void trace_read(double seconds, void (*line)(char *line))
{
	double end = now() + seconds;
	struct pollfd p = { .fd = pipe_fd, .events = POLLIN };

	while (!trace_stopped && (seconds < 0 || now() < end)) {
		if (!read_some(line))
			poll(&p, 1, 50);
	}
}

/* All that came until now; nothing is traced any more. */
void trace_rest(void (*line)(char *line))
{
	write_file("0", "%s/tracing_on", instance);
	while (read_some(line))
		;
}

/* "  task-123  [001] d..1.  12.345678: event: text" */
bool trace_parse(char *line, struct trace_line *t)
{
	char *cpu = strstr(line, " [");
	char *colon, *at;

	if (!cpu)
		return false;
	for (at = cpu; at > line && at[-1] == ' '; at--)
		;
	while (at > line && at[-1] != '-')
		at--;
	t->pid = atoi(at);
	colon = strstr(cpu, ": ");
	if (!colon)
		return false;
	*colon = 0;
	at = strrchr(cpu, ' ');
	t->seconds = at ? atof(at) : 0;
	t->event = colon + 2;
	colon = strstr(t->event, ": ");
	if (!colon)
		return false;
	*colon = 0;
	t->text = colon + 2;
	return true;
}
