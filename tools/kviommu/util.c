// SPDX-License-Identifier: GPL-2.0-only
/* Files, errors, other programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kviommu.h"

static void complain(const char *fmt, va_list args)
{
	fflush(stdout);
	fputs("kviommu: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
}

void die(int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	exit(status);
}

void misused(const char *what)
{
	fprintf(stderr, "usage: kviommu %s\nkviommu(8) has all of it.\n", what);
	exit(USAGE);
}

/* Room for an element n of the array, which has n. */
void *grow(void *array, size_t n, size_t size)
{
	/* A power of two is where the next doubling is due. */
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, size);
	if (!array)
		die(REFUSED, "no memory");
	return array;
}

static char *vformat(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		die(REFUSED, "no memory");
	return text;
}

char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	return text;
}

/* NULL, with errno, if it can't be read to its end */
static char *read_all(int fd)
{
	size_t size = 4096, len = 0;
	char *text = NULL;
	ssize_t n;

	do {
		if (!text || len + 1 == size) {
			size *= 2;
			text = realloc(text, size);
			if (!text)
				die(REFUSED, "no memory");
		}
		n = read(fd, text + len, size - len - 1);
		if (n > 0)
			len += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[len] = 0;
	return text;
}

/* The text of a file, or NULL with errno. */
char *read_file(const char *fmt, ...)
{
	char *path, *text;
	va_list args;
	int fd, rc;

	va_start(args, fmt);
	path = vformat(fmt, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = errno;
	free(path);
	errno = rc;
	if (fd < 0)
		return NULL;
	text = read_all(fd);
	rc = errno;
	close(fd);
	errno = rc;
	return text;
}

/* A sysfs file is written with one write(). Returns 0 or an errno. */
int write_file(const char *text, const char *fmt, ...)
{
	va_list args;
	int fd, rc = 0;
	char *path;

	va_start(args, fmt);
	path = vformat(fmt, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = errno;
	close(fd);
	return rc;
}

bool exists(const char *fmt, ...)
{
	va_list args;
	char *path;
	bool is;

	va_start(args, fmt);
	path = vformat(fmt, args);
	va_end(args);
	is = !access(path, F_OK);
	free(path);
	return is;
}

/* The last part of what a link leads to, or NULL. */
char *link_name(const char *fmt, ...)
{
	char target[4096];
	va_list args;
	ssize_t len;
	char *path;

	va_start(args, fmt);
	path = vformat(fmt, args);
	va_end(args);
	len = readlink(path, target, sizeof(target) - 1);
	free(path);
	if (len < 0)
		return NULL;
	target[len] = 0;
	path = strrchr(target, '/');
	return format("%s", path ? path + 1 : target);
}

/* Cut the next line off a text. */
bool next_line(char **text, char **line)
{
	*line = strsep(text, "\n");
	return *line && (*text || **line);
}

/*
 * Run a program, and wait. Its exit status, or -1 if it can't be run. What it
 * prints is in *output, if that is wanted.
 */
int run(char *const argv[], char **output)
{
	int status, fds[2];
	pid_t pid;

	if (output)
		*output = NULL;
	if (output && pipe2(fds, O_CLOEXEC))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		if (output)
			dup2(fds[1], STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (output) {
		close(fds[1]);
		*output = read_all(fds[0]);
		close(fds[0]);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	return WEXITSTATUS(status);
}

void print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

uint64_t parse_number(const char *text, const char *what)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		die(USAGE, "'%s' is no number; %s is one, such as 52 or 0xf8000000",
		    text, what);
	return n;
}

double parse_seconds(const char *text, const char *option, double least)
{
	char *end;
	double n;

	n = strtod(text, &end);
	/* "nan" is in no range. */
	if (end == text || *end || !(n >= least && n <= 1e6))
		die(USAGE, "%s wants seconds, from %g to a million, not '%s'", option,
		    least, text);
	return n;
}

/* Seconds of a clock that is never set */
double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
