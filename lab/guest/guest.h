// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* need ends the program when a call of the lab's set-up fails. */
static inline long need(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

int workload(int extra);
int capture(const char *device);
int trigger(const char *how);
int kexec_load(const char *kernel, const char *initrd, const char *cmdline);
