/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace of our own, which is gone when the program ends. */
#ifndef KVIOMMU_TOOL_TRACING_H
#define KVIOMMU_TOOL_TRACING_H

#include <signal.h>
#include <stdbool.h>

/* A line of trace_pipe, cut up in place */
struct trace_line {
	int pid;
	double seconds;
	char *event;
	char *text;
};

extern volatile sig_atomic_t trace_stopped;

void trace_begin(void);
void trace_event(const char *name, const char *uuid);
void trace_probe(const char *kind, const char *name, const char *function);
void trace_read(double seconds, void (*line)(char *line));
void trace_rest(void (*line)(char *line));
bool trace_parse(char *line, struct trace_line *t);

#endif
