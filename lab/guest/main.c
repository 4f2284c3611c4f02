// SPDX-License-Identifier: Apache-2.0
#include "guest.h"
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "workload"))
		return workload(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "capture"))
		return capture(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "trigger"))
		return trigger(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "kexec"))
		return kexec_load(argv[2], argv[3], argv[4]);
	fprintf(stderr, "labguest: workload N | capture DEVICE | trigger HOW | kexec KERNEL INITRD CMDLINE\n");
	return 2;
}
