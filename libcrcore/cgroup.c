/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"

#define CGROUP_DEPTH 6 /* step directory to the deepest task directory, with room */

/* Find where a hierarchy is mounted: type "cgroup" with the controller as an option, or type "cgroup2". */
static int mount_find(const char *tree, const char *type, const char *option, char *point, char *root)
{
	char name[PATH_MAX], line[2 * PATH_MAX];
	cleanup_fclose FILE *f = NULL;

	if (snprintf(name, sizeof(name), "%s/proc/self/mountinfo", tree) >= (int)sizeof(name))
		return -1;
	f = fopen(name, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		char fstype[64], options[512], *tail = strstr(line, " - ");

		if (!tail || sscanf(tail, " - %63s %*s %511s", fstype, options) != 2 || strcmp(fstype, type) != 0)
			continue;
		if (option) {
			char *save = NULL, *word = strtok_r(options, ",", &save);

			while (word && strcmp(word, option) != 0)
				word = strtok_r(NULL, ",", &save);
			if (!word)
				continue;
		}
		if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) == 2)
			return 0;
	}
	return -1;
}

/* The path after "N:freezer:" or "0::" in proc/PID/cgroup. */
static int membership_find(const char *tree, const char *pid, const char *controller, char *path,
			   struct cr_error *err)
{
	char name[PATH_MAX], line[PATH_MAX + 128];
	cleanup_fclose FILE *f = NULL;

	if (snprintf(name, sizeof(name), "%s/proc/%s/cgroup", tree, pid) >= (int)sizeof(name))
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", tree);
	f = fopen(name, "re");
	if (!f)
		return cr_error_sys(err, errno, "%s", name);
	while (fgets(line, sizeof(line), f)) {
		char *list = strchr(line, ':'), *rest = list ? strchr(list + 1, ':') : NULL;
		char *save = NULL, *word;

		if (!rest)
			continue;
		*rest++ = '\0';
		rest[strcspn(rest, "\n")] = '\0';
		list++;
		if (*controller == '\0' && *list == '\0') {
			snprintf(path, PATH_MAX, "%s", rest);
			return 0;
		}
		for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
			if (strcmp(word, controller) == 0) {
				snprintf(path, PATH_MAX, "%s", rest);
				return 0;
			}
		}
	}
	return cr_error_set(err, ENOENT, "%s names no %s cgroup", name, *controller ? controller : "v2");
}

int cr_cgroup_find(const char *tree, const char *pid, const char *controller, char *point, char *below,
		   struct cr_error *err)
{
	char mounted[PATH_MAX], root[PATH_MAX], path[PATH_MAX], *rel = path;
	int version = 1;

	if (mount_find(tree, "cgroup", controller, mounted, root) < 0) {
		version = 2;
		controller = "";
		if (mount_find(tree, "cgroup2", NULL, mounted, root) < 0)
			return cr_error_set(err, ENOENT, "no cgroup hierarchy is mounted");
	}
	if (membership_find(tree, pid, controller, path, err) < 0)
		return -1;
	if (strcmp(root, "/") != 0 && strncmp(path, root, strlen(root)) == 0 &&
	    (path[strlen(root)] == '/' || path[strlen(root)] == '\0'))
		rel = path + strlen(root);
	if (snprintf(point, PATH_MAX, "%s%s", tree, mounted) >= PATH_MAX)
		return cr_error_set(err, ENAMETOOLONG, "cgroup path too long");
	snprintf(below, PATH_MAX, "%s", strcmp(rel, "/") == 0 ? "" : rel);
	return version;
}

int cr_cgroup_of(pid_t pid, char *buf, struct cr_error *err)
{
	char point[PATH_MAX], below[PATH_MAX], name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	if (cr_cgroup_find("", name, "freezer", point, below, err) < 0)
		return -1;
	if (*below == '\0')
		return cr_error_set(
			err, ENOTSUP,
			"the task is in no cgroup of its own: ProctrackType=proctrack/cgroup is needed");
	if (snprintf(buf, PATH_MAX, "%s%s", point, below) >= PATH_MAX)
		return cr_error_set(err, ENAMETOOLONG, "cgroup path too long");
	return 0;
}

int cr_cgroup_open_child(struct cr_error *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];
	struct stat st;
	int fd;

	if (cr_cgroup_of(getpid(), dir, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/" CR_CGROUP_CHILD, dir);
	/* an empty one that an earlier version has left is the user's */
	if (lstat(path, &st) == 0 && st.st_uid != 0)
		(void)rmdir(path);
	if (cr_caps_mkdir(path, 0755, err) < 0)
		return cr_error_prefix(err, "the job's cgroup");
	/* its owner could move any process of his in there, freeze it and make more below it */
	if (lstat(path, &st) < 0 || st.st_uid != 0)
		return cr_error_set(err, EPERM, "cgroup %s is not root's", path);
	snprintf(path, sizeof(path), "%s/" CR_CGROUP_CHILD "/cgroup.procs", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_sys(err, errno, "opening %s", path);
	return fd;
}

int cr_cgroup_enter(int fd, struct cr_error *err)
{
	if (write(fd, "0", 1) != 1)
		return cr_error_sys(err, errno, "entering the job's cgroup");
	return 0;
}

void cr_cgroup_step_dir(char *dir)
{
	char *step = strstr(dir, "/step_"), *end = step ? strchr(step + 1, '/') : NULL;

	if (end)
		*end = '\0';
}

/* Write a word into a file of a cgroup, where there is one of that name. */
static void file_write(const char *dir, const char *name, const char *word)
{
	char path[PATH_MAX];
	cleanup_close int fd = -1;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && write(fd, word, strlen(word)) < 0)
		return; /* its being empty tells */
}

/* End whatever is in a cgroup, and let it: what is frozen does not die. Version 2 does so by itself. */
static void processes_kill(const char *dir)
{
	char path[PATH_MAX];
	cleanup_fclose FILE *f = NULL;
	int pid;

	file_write(dir, "freezer.state", "THAWED");
	file_write(dir, "cgroup.freeze", "0");
	file_write(dir, "cgroup.kill", "1");
	if (snprintf(path, sizeof(path), "%s/cgroup.procs", dir) >= (int)sizeof(path))
		return;
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 1)
			(void)kill(pid, SIGKILL);
}

/* Everything below dir, and dir; as far as it goes. */
static int tree_remove(const char *dir, int depth)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *e;

	if (rmdir(dir) == 0 || errno == ENOENT)
		return 0;
	processes_kill(dir);
	d = depth > 0 ? opendir(dir) : NULL;
	while (d && (e = readdir(d))) {
		char path[PATH_MAX];

		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < (int)sizeof(path))
			(void)tree_remove(path, depth - 1);
	}
	return rmdir(dir);
}

static int child_remove(const char *path, int *wait_ms)
{
	const struct timespec tick = {.tv_nsec = 10 * 1000 * 1000};

	while (tree_remove(path, CGROUP_DEPTH) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || *wait_ms <= 0)
			return -1;
		nanosleep(&tick, NULL);
		*wait_ms -= 10;
	}
	return 0;
}

static int children_remove(const char *dir, int depth, int *wait_ms, struct cr_error *err)
{
	cleanup_closedir DIR *d = opendir(dir);
	struct dirent *e;
	int left = 0;

	if (!d)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", dir);
	while ((e = readdir(d))) {
		char path[PATH_MAX];
		int n;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		if (strcmp(e->d_name, CR_CGROUP_CHILD) == 0) {
			if (child_remove(path, wait_ms) < 0) {
				cr_error_sys(err, errno, "removing cgroup %s", path);
				left++;
			}
			continue;
		}
		n = depth > 0 ? children_remove(path, depth - 1, wait_ms, err) : 0;
		if (n < 0)
			return -1;
		left += n;
	}
	return left;
}

int cr_cgroup_remove_children(const char *dir, int wait_ms, struct cr_error *err)
{
	return children_remove(dir, CGROUP_DEPTH, &wait_ms, err);
}
