// SPDX-License-Identifier: Apache-2.0
/* The truth as /proc tells it, written to a raw device: "NAME SIZE\n" and the bytes, each. */
#define _GNU_SOURCE
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *const files[] = {
	"/proc/modules", "/proc/meminfo", "/proc/self/mountinfo", "/proc/uptime", "/proc/loadavg",
	"/proc/cmdline", "/proc/version", "/proc/iomem", "/proc/slabinfo", "/proc/vmallocinfo",
	"/proc/interrupts", "/proc/softirqs", "/proc/partitions", "/proc/swaps", "/proc/locks",
	"/proc/timer_list", "/proc/cpuinfo", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp",
	"/proc/net/unix", "/proc/net/dev", "/proc/net/route", "/proc/net/arp", "/proc/sysvipc/msg",
	"/proc/sysvipc/sem", "/proc/sysvipc/shm", "/proc/sys/kernel/osrelease",
	"/proc/sys/kernel/hostname", "/sys/kernel/notes", "/proc/kallsyms",
};

static FILE *device;

static void put(const char *name, const char *text, size_t n)
{
	fprintf(device, "%s %zu\n", name, n);
	fwrite(text, 1, n, device);
}

/* copy appends a file to out; a file that cannot be read adds nothing. */
static void copy(const char *path, FILE *out)
{
	static char block[65536];
	int f = open(path, O_RDONLY);
	ssize_t n;

	while (f >= 0 && (n = read(f, block, sizeof block)) > 0)
		fwrite(block, 1, n, out);
	close(f);
}

static void put_file(const char *path)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	copy(path, out);
	fclose(out);
	put(path, text, n);
	free(text);
}

/* each_thread calls f with the /proc directory of every thread. */
static void each_thread(void (*f)(const char *dir, FILE *out), FILE *out)
{
	DIR *all = opendir("/proc"), *one;
	struct dirent *p, *t;
	char dir[600];

	while ((p = readdir(all))) {
		snprintf(dir, sizeof dir, "/proc/%s/task", p->d_name);
		if (p->d_name[0] < '0' || p->d_name[0] > '9' || !(one = opendir(dir)))
			continue;
		while ((t = readdir(one)))
			if (t->d_name[0] != '.') {
				snprintf(dir, sizeof dir, "/proc/%s/task/%s", p->d_name, t->d_name);
				f(dir, out);
			}
		closedir(one);
	}
	closedir(all);
}

static void put_part(const char *dir, const char *name, FILE *out)
{
	char path[640];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	copy(path, out);
}

static void put_stack(const char *dir, FILE *out)
{
	fprintf(out, "task %s\n", strrchr(dir, '/') + 1);
	put_part(dir, "stack", out);
}

static void put_status(const char *dir, FILE *out)
{
	put_part(dir, "status", out);
	fputc('\n', out);
}

static void put_stat(const char *dir, FILE *out)
{
	int tgid = 0;

	sscanf(dir, "/proc/%d/", &tgid);
	fprintf(out, "%d ", tgid);
	put_part(dir, "stat", out);
}

static void put_files(const char *dir, FILE *out)
{
	char path[640], target[256];
	struct dirent *e;
	DIR *d;
	ssize_t n;

	snprintf(path, sizeof path, "%s/fd", dir);
	if (!(d = opendir(path)))
		return;
	while ((e = readdir(d))) {
		snprintf(path, sizeof path, "%s/fd/%s", dir, e->d_name);
		if ((n = readlink(path, target, sizeof target)) > 0)
			fprintf(out, "%s %s %.*s\n", strrchr(dir, '/') + 1, e->d_name, (int)n, target);
	}
	closedir(d);
}

static void put_table(const char *name, void (*f)(const char *, FILE *))
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	each_thread(f, out);
	fclose(out);
	put(name, text, n);
	free(text);
}

int capture(const char *path)
{
	if (!(device = fopen(path, "w")))
		need(-1, path);
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
		put_file(files[i]);
	put_table("status", put_status);
	put_table("fds", put_files);
	put_table("stat", put_stat);
	put_table("stacks", put_stack);
	put("end", "", 0);
	need(fflush(device), "write the truth");
	need(fsync(fileno(device)), "write the truth");
	return fclose(device);
}

/*
 * trigger tells the last truth through the module, then ends the kernel. All
 * files are open by then: opening one could wake a kernel thread.
 */
int trigger(const char *how)
{
	int f = need(open("/proc/inquest_lab/control", O_WRONLY), "control");
	int sysrq = need(open("/proc/sysrq-trigger", O_WRONLY), "sysrq");
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	fputs("out === begin stat\n", out);
	each_thread(put_stat, out);
	fputs("=== end stat\n", out);
	fclose(out);
	need(write(f, text, n), "control");
	need(write(f, "snap", 4), "control");
	if (!strcmp(how, "running"))
		for (;;)
			__asm__ volatile("pause");
	if (!strcmp(how, "sysrq"))
		return need(write(sysrq, "c", 1), "sysrq");
	return need(write(f, how, strlen(how)), "control");
}
