// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec KERNEL INITRD [ARG]: load them for the next kexec, with the arguments that
 * this kernel has, and that one. kexec -e: do it.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

int main(int argc, char **argv)
{
	int fd = open_file("/proc/cmdline");
	char cmdline[4096];
	ssize_t len;

	if (argc == 2 && !strcmp(argv[1], "-e")) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_KEXEC, NULL);
		err(1, "reboot");
	}
	if (argc != 3 && argc != 4)
		errx(1, "usage: kexec KERNEL INITRD [ARG] | -e");
	len = read(fd, cmdline, sizeof(cmdline) - 1);
	if (len < 0)
		err(1, "/proc/cmdline");
	cmdline[len] = 0;
	len = strcspn(cmdline, "\n");
	snprintf(cmdline + len, sizeof(cmdline) - len, " %s", argc == 4 ? argv[3] : "");
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]),
		    strlen(cmdline) + 1, cmdline, 0ul))
		err(1, "kexec_file_load");
	return 0;
}
