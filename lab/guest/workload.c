// SPDX-License-Identifier: Apache-2.0
/* A process or thread in every state and every kind of wait, then "ready". */
#define _GNU_SOURCE
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void forever(void)
{
	for (;;)
		pause();
}

static void sleeping(void) { sleep(1000000); }

static void spinning(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void reading_pipe(void)
{
	int p[2];
	char c;

	need(pipe(p), "pipe");
	need(write(p[1], "full", 4), "write");
	need(read(p[0], (char[4]){0}, 4), "read");
	read(p[0], &c, 1);
}

static void writing_pipe(void)
{
	int p[2];
	static char page[4096];

	need(pipe(p), "pipe");
	for (;;)
		need(write(p[1], page, sizeof page), "write");
}

static void polling(void)
{
	struct pollfd p = {need(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd"), POLLIN, 0};
	struct itimerspec s = {{0, 0}, {900000, 0}};

	need(timerfd_settime(p.fd, 0, &s, NULL), "timerfd_settime");
	poll(&p, 1, -1);
}

static void epolling(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	sigset_t set;
	int ep = need(epoll_create1(0), "epoll"), in = need(inotify_init(), "inotify");

	need(inotify_add_watch(in, "/tmp", IN_CREATE), "watch");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	need(epoll_ctl(ep, EPOLL_CTL_ADD, in, &e), "ctl");
	need(epoll_ctl(ep, EPOLL_CTL_ADD, need(eventfd(0, 0), "eventfd"), &e), "ctl");
	need(epoll_ctl(ep, EPOLL_CTL_ADD, need(signalfd(-1, &set, 0), "signalfd"), &e), "ctl");
	epoll_wait(ep, &e, 1, -1);
}

static void *waiting_thread(void *name)
{
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	prctl(PR_SET_NAME, name);
	pthread_mutex_lock(&m);
	while (pthread_cond_wait(&c, &m) == 0)
		;
	return NULL;
}

static void *sleeping_thread(void *name)
{
	prctl(PR_SET_NAME, name);
	forever();
	return NULL;
}

static void start(void *(*run)(void *), void *name)
{
	pthread_t t;
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	need(-pthread_create(&t, &a, run, name), "pthread_create");
}

static void threads(void)
{
	for (int i = 0; i < 4; i++)
		start(i % 2 ? waiting_thread : sleeping_thread, i % 2 ? "thr futex" : "thr pause");
	forever();
}

static void dead_leader(void)
{
	start(sleeping_thread, "thr orphan");
	syscall(SYS_exit, 0);
}

static void unix_server(void)
{
	struct sockaddr_un a = {AF_UNIX, "/tmp/lab.sock"};
	int s = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), c;

	need(bind(s, (void *)&a, sizeof a), "bind");
	need(listen(s, 5), "listen");
	c = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	need(connect(c, (void *)&a, sizeof a), "connect");
	need(accept(s, NULL, NULL), "accept");
	accept(s, NULL, NULL);
}

static void unix_pair(void)
{
	int p[2];
	char c;

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), "socketpair");
	recv(p[0], &c, 1, 0);
}

static int internet(int family, int type, int port)
{
	struct sockaddr_in a4 = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int s = need(socket(family, type, 0), "socket");

	if (family == AF_INET)
		need(bind(s, (void *)&a4, sizeof a4), "bind");
	else
		need(bind(s, (void *)&a6, sizeof a6), "bind");
	return s;
}

static void tcp_server(void)
{
	struct sockaddr_in a = {AF_INET, htons(7001), {htonl(INADDR_LOOPBACK)}, {0}};
	int s = internet(AF_INET, SOCK_STREAM, 7001), c = need(socket(AF_INET, SOCK_STREAM, 0), "socket");
	char b;

	need(listen(s, 5), "listen");
	need(connect(c, (void *)&a, sizeof a), "connect");
	need(write(c, "x", 1), "write");
	s = need(accept(s, NULL, NULL), "accept");
	need(read(s, &b, 1), "read");
	read(s, &b, 1);
}

static void tcp_acceptor(void)
{
	int s = internet(AF_INET6, SOCK_STREAM, 7002);

	need(listen(s, 5), "listen");
	accept(s, NULL, NULL);
}

static void udp_receiver(void)
{
	char b;

	recv(internet(AF_INET, SOCK_DGRAM, 7003), &b, 1, 0);
}

static void sysv_message(void)
{
	struct { long type; char text[8]; } m;

	msgrcv(need(msgget(0x1ab1, IPC_CREAT | 0600), "msgget"), &m, 8, 1, 0);
}

static void sysv_semaphore(void)
{
	struct sembuf b = {0, -1, 0};

	semop(need(semget(0x1ab2, 1, IPC_CREAT | 0600), "semget"), &b, 1);
}

static void sysv_memory(void)
{
	char *p = shmat(need(shmget(0x1ab3, 65536, IPC_CREAT | 0600), "shmget"), NULL, 0);

	strcpy(p, "inquest lab shared memory");
	forever();
}

static void locking(void)
{
	int a = need(open("/tmp/locked", O_CREAT | O_RDWR, 0600), "open");
	int b = need(open("/tmp/locked", O_RDWR), "open");

	need(flock(a, LOCK_EX), "flock");
	flock(b, LOCK_EX);
}

static void timers(void)
{
	timer_t t;
	struct itimerval v = {{0, 0}, {800000, 0}};
	struct itimerspec s = {{0, 0}, {700000, 0}};

	need(setitimer(ITIMER_REAL, &v, NULL), "setitimer");
	need(timer_create(CLOCK_REALTIME, NULL, &t), "timer_create");
	need(timer_settime(t, 0, &s, NULL), "timer_settime");
	forever();
}

static void mapped(void)
{
	int f = need(open("/tmp/mapped", O_CREAT | O_RDWR, 0600), "open");
	char *p;

	need(ftruncate(f, 1 << 20), "ftruncate");
	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	memset(p, 0x5a, 1 << 20);
	need(open("/mnt/disk/deleted", O_CREAT | O_RDWR, 0600), "open");
	need(unlink("/mnt/disk/deleted"), "unlink");
	forever();
}

static void zombie_parent(void)
{
	if (need(fork(), "fork") == 0) {
		prctl(PR_SET_NAME, "lab_zombie");
		_exit(3);
	}
	forever();
}

static void vfork_parent(void)
{
	if (vfork() == 0)
		forever(); /* the parent waits in D until it execs or ends */
}

static void dstate(void)
{
	char c;

	read(need(open("/proc/inquest_lab/dstate", O_RDONLY), "dstate"), &c, 1);
}

static void stopped(void)
{
	raise(SIGSTOP);
	forever();
}

static void tracer(void)
{
	if (need(fork(), "fork") == 0) {
		prctl(PR_SET_NAME, "lab_traced");
		need(ptrace(PTRACE_TRACEME, 0, 0, 0), "traceme");
		raise(SIGUSR1);
		forever();
	}
	need(wait(NULL), "wait");
	forever();
}

static void realtime(void)
{
	struct sched_param p = {7};

	need(sched_setscheduler(0, SCHED_FIFO, &p), "sched_setscheduler");
	forever();
}

static void nice_one(void)
{
	need(nice(11), "nice");
	need(setuid(1000), "setuid");
	forever();
}

static void contained(void)
{
	need(unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC), "unshare");
	need(sethostname("inside", 6), "sethostname");
	if (need(fork(), "fork") == 0)
		prctl(PR_SET_NAME, "lab_inner");
	forever();
}

static const struct { const char *comm; void (*run)(void); } jobs[] = {
	{"lab_sleep", sleeping}, {"lab_spin", spinning}, {"lab_pipe_rd", reading_pipe},
	{"lab_pipe_wr", writing_pipe}, {"lab_poll", polling}, {"lab_epoll", epolling},
	{"lab_threads", threads}, {"lab_dead_leader", dead_leader}, {"lab_unix", unix_server},
	{"lab_unix_pair", unix_pair}, {"lab_tcp", tcp_server}, {"lab_tcp6", tcp_acceptor},
	{"lab_udp", udp_receiver}, {"lab_msg", sysv_message}, {"lab_sem", sysv_semaphore},
	{"lab_shm", sysv_memory}, {"lab_flock", locking}, {"lab_timers", timers},
	{"lab_mapped", mapped}, {"lab_zombie_par", zombie_parent}, {"lab_vfork", vfork_parent},
	{"lab_dstate", dstate}, {"lab_stopped", stopped}, {"lab_tracer", tracer},
	{"lab_fifo", realtime}, {"lab_nice", nice_one}, {"lab_contained", contained},
	{"lab (odd) S 1", forever}, {"", forever},
};

static void spawn(const char *comm, void (*run)(void))
{
	if (need(fork(), "fork"))
		return;
	prctl(PR_SET_NAME, comm);
	run();
	forever();
}

/* crowd starts n tasks, half of them threads in processes of ten. */
static void crowd(int n)
{
	char name[32];

	for (int i = 0; i < n / 2; i++) {
		snprintf(name, sizeof name, "crowd_%d", i);
		spawn(name, (void (*[])(void)){forever, sleeping, polling, reading_pipe}[i % 4]);
	}
	for (int i = 0; i < n / 20; i++)
		if (need(fork(), "fork") == 0) {
			prctl(PR_SET_NAME, "crowd_threads");
			for (int j = 0; j < 9; j++)
				start(j % 2 ? waiting_thread : sleeping_thread, "crowd thr");
			forever();
		}
}

int workload(int extra)
{
	setsid();
	for (unsigned i = 0; i < sizeof jobs / sizeof *jobs; i++)
		spawn(jobs[i].comm, jobs[i].run);
	crowd(extra);
	return 0;
}
