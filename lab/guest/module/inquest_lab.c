// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The lab's kernel module: ways to die, tasks that sleep inside a module, and
 * the truth about all tasks, written to the second serial port by polling so
 * that telling it changes nothing.
 *
 * /proc/inquest_lab/control  write "out TEXT", "snap", "null", "irq" or "smash"
 * /proc/inquest_lab/dstate   a read sleeps for ever, uninterruptible
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/proc_fs.h>
#include <linux/sched/loadavg.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#define PORT 0x2f8 /* COM2 */
#define MAX_WRITE (4 << 20)

static DECLARE_WAIT_QUEUE_HEAD(never);
static struct proc_dir_entry *dir;
static struct task_struct *sleeper, *idler;

static void put_raw(const char *s, size_t n)
{
	for (; n; n--, s++) {
		while (!(inb(PORT + 5) & 0x20))
			cpu_relax();
		outb(*s, PORT);
	}
}

static __printf(1, 2) void put(const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vscnprintf(line, sizeof(line), format, args);
	va_end(args);
	put_raw(line, n);
}

/* One line per thread: pid tgid ppid state start(ns since boot) kernel comm. */
static void put_threads(void)
{
	struct task_struct *g, *t;

	rcu_read_lock();
	for_each_process_thread(g, t)
		put("%d %d %d %c %llu %d %.*s\n", t->pid, t->tgid,
		    rcu_dereference(t->real_parent)->tgid, task_state_to_char(t),
		    (unsigned long long)t->start_boottime, !!(t->flags & PF_KTHREAD),
		    TASK_COMM_LEN, t->comm);
	rcu_read_unlock();
}

static void put_snapshot(const char *when)
{
	struct timespec64 now, up;

	ktime_get_real_ts64(&now);
	ktime_get_boottime_ts64(&up);
	put("=== begin snapshot %s\n", when);
	put("time %lld.%09ld\nuptime %lld.%09ld\n", (long long)now.tv_sec,
	    now.tv_nsec, (long long)up.tv_sec, up.tv_nsec);
	put("avenrun %lu %lu %lu\ncpu %d\npid %d\nthreads\n", avenrun[0], avenrun[1],
	    avenrun[2], raw_smp_processor_id(), current->pid);
	put_threads();
	put("=== end snapshot\n");
}

/* wait_for_quiet waits, two seconds at most, until no other kernel thread runs. */
static void wait_for_quiet(void)
{
	struct task_struct *g, *t;
	bool busy = true;
	int i;

	for (i = 0; busy && i < 200; i++) {
		busy = false;
		rcu_read_lock();
		for_each_process_thread(g, t)
			if ((t->flags & PF_KTHREAD) && task_is_running(t))
				busy = true;
		rcu_read_unlock();
		if (busy)
			msleep(10);
	}
}

static int at_panic(struct notifier_block *nb, unsigned long event, void *message)
{
	put_snapshot("panic");
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = { .notifier_call = at_panic };

static noinline int null_inner(int *p)
{
	OPTIMIZER_HIDE_VAR(p);
	return READ_ONCE(p[4]) + 1;
}

static noinline int null_outer(int *p)
{
	int n = null_inner(p);

	barrier();
	return n * 2;
}

static void null_in_timer(struct timer_list *unused)
{
	null_outer(NULL);
	barrier();
}

static DEFINE_TIMER(null_timer, null_in_timer);

/* null_in_irq spins until the timer's interrupt comes. */
static noinline void null_in_irq(void)
{
	mod_timer(&null_timer, jiffies + 2);
	mdelay(1000);
	barrier();
}

static noinline int smash_inner(unsigned int n)
{
	char buffer[16];
	unsigned int i;

	OPTIMIZER_HIDE_VAR(n);
	for (i = 0; i < n; i++)
		WRITE_ONCE(((volatile char *)buffer)[i], 'A');
	return buffer[3];
}

static noinline int smash_outer(unsigned int n)
{
	int r = smash_inner(n);

	barrier();
	return r + 1;
}

static ssize_t control_write(struct file *f, const char __user *p, size_t n, loff_t *at)
{
	char *text;

	if (n > MAX_WRITE)
		return -EINVAL;
	text = vmalloc(n + 1);
	if (!text)
		return -ENOMEM;
	if (copy_from_user(text, p, n)) {
		vfree(text);
		return -EFAULT;
	}
	text[n] = 0;
	if (!strncmp(text, "out ", 4))
		put_raw(text + 4, n - 4);
	else if (!strncmp(text, "snap", 4)) {
		wait_for_quiet();
		put_snapshot("asked");
	} else if (!strncmp(text, "irq", 3))
		null_in_irq();
	else if (!strncmp(text, "null", 4))
		n += null_outer(NULL);
	else if (!strncmp(text, "smash", 5))
		n += smash_outer(96);
	vfree(text);
	return n;
}

static noinline void sleep_for_ever(void)
{
	wait_event(never, false);
	barrier();
}

static ssize_t dstate_read(struct file *f, char __user *p, size_t n, loff_t *at)
{
	sleep_for_ever();
	return 0;
}

static noinline int nap(bool idle)
{
	int r = 0;

	if (idle)
		wait_event_idle(never, kthread_should_stop());
	else
		r = wait_event_interruptible(never, kthread_should_stop());
	barrier();
	return r;
}

static int nap_thread(void *idle)
{
	int r = nap(idle != NULL);

	return r;
}

static const struct proc_ops control_ops = { .proc_write = control_write };
static const struct proc_ops dstate_ops = { .proc_read = dstate_read };

static int __init lab_init(void)
{
	dir = proc_mkdir("inquest_lab", NULL);
	if (!dir || !proc_create("control", 0200, dir, &control_ops) ||
	    !proc_create("dstate", 0400, dir, &dstate_ops)) {
		remove_proc_subtree("inquest_lab", NULL);
		return -ENOMEM;
	}
	sleeper = kthread_run(nap_thread, NULL, "lab_sleeper");
	idler = kthread_run(nap_thread, &never, "lab_idler_with_a_long_name");
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	return 0;
}

module_init(lab_init);
MODULE_LICENSE("GPL"); /* for the notifier chain, which is exported to such modules only */
MODULE_DESCRIPTION("inquest lab");
