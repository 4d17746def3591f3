/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* A child of vfork that takes its time before it executes a program. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	pid_t pid;
	int status;
	FILE *f;

	close(open("ready", O_CREAT | O_WRONLY, 0644));
	pid = vfork();
	if (pid == 0) {
		while (access("go", F_OK) < 0)
			usleep(100000);
		execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	f = fopen("result", "w");
	fprintf(f, "child %d\n", WEXITSTATUS(status));
	fclose(f);
	return 0;
}
