/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "loopback.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cleanup.h"

#define MTU	   65536 /* the kernel's for loopback */
#define MTU_NARROW 65000 /* less than the greatest packet of IPv4 */

static int mtu_set(int mtu, struct cr_error *err)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_mtu = mtu};
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFMTU, &lo) < 0)
		return cr_error_sys(err, errno, "the MTU of loopback in the job's network");
	return 0;
}

int loopback_narrow(struct cr_error *err)
{
	return mtu_set(MTU_NARROW, err);
}

int loopback_widen(struct cr_error *err)
{
	return mtu_set(MTU, err);
}
