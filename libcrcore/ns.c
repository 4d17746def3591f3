/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/sched.h>

#include "cleanup.h"
#include "timefmt.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NSEC INT64_C(1000000000)

/* "seconds nanoseconds" of an offset, nanoseconds never negative, as timens_offsets wants it */
static void offset_split(int64_t ns, int64_t *sec, int64_t *nsec)
{
	*sec = ns / NSEC;
	*nsec = ns % NSEC;
	if (*nsec < 0) {
		*sec -= 1;
		*nsec += NSEC;
	}
}

int cr_ns_time(int64_t monotonic_ns, int64_t boottime_ns, struct cr_error *err)
{
	int64_t mono_s = 0, mono_ns = 0, boot_s = 0, boot_ns = 0;
	cleanup_close int fd = -1;
	char text[160];
	int n;

	if (unshare(CLONE_NEWTIME) < 0)
		return cr_error_sys(err, errno, "making a time namespace");
	if (monotonic_ns)
		offset_split(monotonic_ns - cr_time_clock_ns(CLOCK_MONOTONIC), &mono_s, &mono_ns);
	if (boottime_ns)
		offset_split(boottime_ns - cr_time_clock_ns(CLOCK_BOOTTIME), &boot_s, &boot_ns);
	n = snprintf(text, sizeof(text), "monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
		     mono_s, mono_ns, boot_s, boot_ns);
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return cr_error_sys(err, errno, "setting the clocks of the job's time namespace");
	return 0;
}

int cr_ns_net(struct cr_error *err)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	cleanup_close int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return cr_error_sys(err, errno, "making a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return cr_error_sys(err, errno, "starting loopback in the job's network namespace");
	return 0;
}

bool cr_ns_net_alone(void)
{
	struct if_nameindex *all = if_nameindex();
	bool alone = all && strcmp(all[0].if_name ? all[0].if_name : "", "lo") == 0 && !all[1].if_name;

	if (all)
		if_freenameindex(all);
	return alone;
}

pid_t cr_ns_fork(struct cr_error *err)
{
	struct clone_args args;
	long pid;

	/* clone3 and not unshare: the caller may try again, and stays in its own namespaces itself */
	memset(&args, 0, sizeof(args));
	args.flags = CLONE_NEWPID | CLONE_NEWNS;
	args.exit_signal = SIGCHLD;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		cr_error_sys(err, errno, "making pid and mount namespaces");
	return (pid_t)pid;
}

static int mount_one(const char *source, const char *target, const char *type, unsigned long flags,
		     const char *data, struct cr_error *err)
{
	if (mount(source, target, type, flags, data) < 0)
		return cr_error_sys(err, errno, "mounting %s on %s", type ? type : source, target);
	return 0;
}

/* Bind a directory of the user's. Its parent is the user's too: what is opened is checked, and what was checked is
 * bound, whatever is renamed meanwhile. */
static int bind_owned(const char *source, const char *target, uid_t uid, struct cr_error *err)
{
	cleanup_close int fd = open(source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "opening %s", source);
	if (st.st_uid != uid)
		return cr_error_set(err, EPERM, "%s belongs to uid %u", source, (unsigned)st.st_uid);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return mount_one(link, target, NULL, MS_BIND, NULL, err);
}

int cr_ns_mount(const struct cr_ns_mounts *m, struct cr_error *err)
{
	char data[96];

	/* slave: what the admin mounts or unmounts later still arrives, nothing of ours gets out */
	if (mount_one("none", "/", NULL, MS_REC | MS_SLAVE, NULL, err) < 0 ||
	    mount_one("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, err) < 0 ||
	    mount_one("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620",
		      err) < 0)
		return -1;
	/* the user's own, so that a restore can give it its times and mode back */
	snprintf(data, sizeof(data), "mode=1777,uid=%u,gid=%u", (unsigned)m->uid, (unsigned)m->gid);
	if (mount_one("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, data, err) < 0)
		return -1;
	snprintf(data, sizeof(data), "mode=0700,uid=%u,gid=%u,size=16m", (unsigned)m->uid, (unsigned)m->gid);
	if (mount_one("tmpfs", m->home, "tmpfs", MS_NOSUID | MS_NODEV, data, err) < 0 ||
	    mount_one("tmpfs", m->sockets, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		      "mode=0755,uid=0,gid=0,size=64k", err) < 0)
		return -1;
	/* last: scratch may lie below what these two hide */
	return bind_owned(m->var_tmp, "/var/tmp", m->uid, err) < 0 || bind_owned(m->tmp, "/tmp", m->uid, err) < 0
		       ? -1
		       : 0;
}

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

int cr_ns_last_pid_read(uint32_t *last_pid, struct cr_error *err)
{
	cleanup_fclose FILE *f = fopen(LAST_PID, "re");

	if (!f || fscanf(f, "%" SCNu32, last_pid) != 1)
		return cr_error_sys(err, errno ? errno : EIO, "reading ns_last_pid");
	return 0;
}

int cr_ns_last_pid_write(uint32_t last_pid, struct cr_error *err)
{
	cleanup_close int fd = open(LAST_PID, O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%" PRIu32, last_pid);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return cr_error_sys(err, errno, "setting ns_last_pid");
	return 0;
}

bool cr_ns_private(const char *path)
{
	static const char *const dirs[] = {CR_NS_PRIVATE};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		size_t n = strlen(dirs[i]);

		if (path[0] == '/' && strncmp(path + 1, dirs[i], n) == 0 &&
		    (path[n + 1] == '/' || path[n + 1] == '\0'))
			return true;
	}
	return false;
}
