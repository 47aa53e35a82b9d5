// SPDX-License-Identifier: GPL-2.0-only
/* kviommu(8): set up and look at virtual IOMMUs. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "kviommu.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *what;
};

static const struct command commands[] = {
	{ "list", cmd_list, "[--json]", "vIOMMUs, their devices and states" },
	{ "create", cmd_create, "[options]", "make a vIOMMU, print its UUID" },
	{ "remove", cmd_remove, "ID", "remove one" },
	{ "assign", cmd_assign, "ID HOST GUEST", "put a host device behind one" },
	{ "unassign", cmd_unassign, "ID HOST", "take it away" },
	{ "assume-reset", cmd_assume_reset, "ID HOST", "take a device for one that was reset" },
	{ "check", cmd_check, "HOST", "say whether a device is fit, and what to do" },
	{ "acpi", cmd_acpi, "viot|dmar|iort ...", "the table that tells the guest" },
	{ "qemu", cmd_qemu, "ID", "the arguments for QEMU" },
	{ "show", cmd_show, "ID [--mappings]", "all that is known of one" },
	{ "top", cmd_top, "[ID]", "rates, mappings and faults, live" },
	{ "trace", cmd_trace, "[ID]", "what happens, live" },
	{ }
};

static void help(FILE *out)
{
	const struct command *c;
	char *synopsis;

	fputs("usage: kviommu COMMAND ...\n\n", out);
	for (c = commands; c->name; c++) {
		synopsis = format("%s %s", c->name, c->args);
		fprintf(out, "  %-28s %s\n", synopsis, c->what);
		free(synopsis);
	}
	fputs("\nkviommu(8) explains them.\n", out);
}

int main(int argc, char **argv)
{
	const struct command *c;
	int rc = USAGE;

	if (argc < 2) {
		help(stderr);
		return USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("kviommu " VERSION);
		return DONE;
	}
	/* Called by mdevctl, so it is in no list. */
	if (!strcmp(argv[1], "mdevctl-callout"))
		return cmd_mdevctl(argc - 1, argv + 1);
	for (c = commands; c->name; c++) {
		if (!strcmp(c->name, argv[1]))
			break;
	}
	if (!c->name)
		die(USAGE, "there is no command '%s'; 'kviommu help' lists them", argv[1]);
	rc = c->run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout))
		die(REFUSED, "cannot write to the standard output");
	return rc;
}
