// SPDX-License-Identifier: Apache-2.0
/* Loads the kernel that takes over after a panic and saves /proc/vmcore. */
#include "guest.h"
#include <fcntl.h>
#include <linux/kexec.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int kexec_load(const char *kernel, const char *initrd, const char *cmdline)
{
	int k = need(open(kernel, O_RDONLY), kernel), i = need(open(initrd, O_RDONLY), initrd);

	need(syscall(SYS_kexec_file_load, k, i, strlen(cmdline) + 1, cmdline, KEXEC_FILE_ON_CRASH),
	     "kexec_file_load");
	return 0;
}
