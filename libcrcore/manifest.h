/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest.h - what a generation is: manifest.json, the one file that makes its images a checkpoint
 *
 * The format is written down in doc/manifest.md. Strings are heap copies owned by the manifest.
 */

#ifndef CR_MANIFEST_H
#define CR_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "hash.h"

#define CR_MANIFEST_FORMAT 3
#define CR_MANIFEST_MAX	   (64u << 20) /* bytes of manifest.json that are read at the most */

/* A file of the generation, path relative to its directory. */
struct cr_manifest_file {
	char *path;
	uint64_t size; /* bytes */
	char hash[CR_HASH_HEX];
};

/* A pack that holds chunks of the generation: PART/packs/GENERATION.pack, see store.h. */
struct cr_manifest_pack {
	uint32_t generation; /* that wrote it: this one or an older one */
	uint64_t size;	     /* bytes of the file */
	uint64_t raw;	     /* bytes of all chunks in it, before compression */
	uint64_t used;	     /* of those, the bytes this generation refers to */
};

/* A regular file that the job had open for writing or mapped shared, or its stdout or stderr. A file with several
 * names that the job knows has an entry for each, the copy with the first of them. */
struct cr_manifest_output {
	char *path;    /* absolute */
	uint64_t size; /* bytes at the checkpoint */
	uint64_t dev, ino;
	uint32_t mode; /* permission bits */
	char *saved;   /* name of the copy, or NULL when not copied: a stream of the index, in format 1 a file */
	/* since format 3, 0 before */
	int64_t mtime_ns; /* CLOCK_REALTIME */
	uint64_t offset;  /* bytes; where the first of the descriptors found stood, 0 when it is only mapped */
	uint32_t flags;	  /* of that descriptor, as open(2) has them */
	uint32_t mapped;  /* 1: by a shared mapping */
	uint32_t uid;	  /* owner */
	uint32_t links;	  /* names it had, also ones that the job does not know; 0: not known */
	/* not written down: a descriptor with a lease that opening the file would break; lease_pid 0: none */
	pid_t lease_pid;
	int lease_fd;
};

/* A program or library that the job had mapped: what a node must have to go on with it. Since format 3. */
struct cr_manifest_binary {
	char *path; /* absolute */
	uint64_t size;
	int64_t mtime_ns;
	char *build_id; /* lower-case hex digits of the GNU build id, "" when it has none */
};

/* A directory that goes back to the checkpoint's state (--checkpoint-rollback). Since format 3. */
struct cr_manifest_rollback {
	char *path;   /* absolute */
	char *stream; /* name of the stream of the index that has its content */
};

struct cr_manifest {
	uint32_t format; /* 1 to CR_MANIFEST_FORMAT, as read; 0 is written as CR_MANIFEST_FORMAT */
	/* who and where */
	uint32_t job;
	char *part; /* step and node rank, "batch.0" */
	char *node; /* host name */
	char *user;
	uint32_t uid;
	uint32_t restart;    /* SLURM_RESTART_COUNT of the run that made it */
	uint32_t run;	     /* 1 + how often the job had been started from the beginning before */
	uint32_t generation; /* 1, 2, … over the job's whole life */
	char *reason;	     /* interval, user, vacate, preempt, requeue, timelimit, nodefail, term */
	char *time;	     /* RFC 3339, UTC, of the freeze */
	/* what it needs */
	char *kernel; /* release and machine */
	char *cpu_model;
	char *cpu_flags;      /* space separated */
	uint32_t xsave_bytes; /* of the processor's extended state, as the kernel has enabled it; 0: not known */
	char *glibc;	      /* version, "" when not known */
	char *net;	      /* "host" or "private"; NULL before format 3, which is "host" */
	char *groups;	      /* supplementary groups of its processes, "1001,2000"; NULL before format 3 */
	char *criu;	      /* version */
	char *command;	      /* batch script path or argv */
	char *script;	      /* absolute path of the batch script as the job has it open, or NULL */
	uint64_t script_pos;  /* where in it the job reads on, bytes */
	/* how it was */
	int64_t monotonic_ns; /* the job's CLOCK_MONOTONIC and CLOCK_BOOTTIME at the freeze */
	int64_t boottime_ns;
	uint32_t root_pid; /* of the job's tree, in its pid namespace */
	uint32_t last_pid; /* ns_last_pid at the freeze */
	uint32_t tasks;	   /* processes in the tree */
	/* what it cost */
	int64_t freeze_ms;
	int64_t drain_ms;      /* thaw to durable; 0 when committed before the thaw */
	uint64_t image_bytes;  /* what CRIU handed over */
	uint64_t stored_bytes; /* what this generation added to the store */
	int64_t ran_ms;	       /* the job had run by the freeze, over all of its starts; 0 before format 3 */

	struct cr_manifest_file *files;
	size_t n_files;
	struct cr_manifest_pack *packs; /* none in format 1 */
	size_t n_packs;
	struct cr_manifest_output *outputs;
	size_t n_outputs;
	struct cr_manifest_binary *binaries; /* none before format 3 */
	size_t n_binaries;
	struct cr_manifest_rollback *rollbacks; /* none before format 3 */
	size_t n_rollbacks;
};

/* A part's name is one harmless path component: letters, digits, '.', '_' and '-', not beginning with '.', at
 * most 64. */
bool cr_manifest_part_ok(const char *part);

/* Release everything m owns and zero it. m may be zeroed already. */
void cr_manifest_clear(struct cr_manifest *m);

int cr_manifest_add_file(struct cr_manifest *m, const char *path, uint64_t size, const char *hash,
			 struct cr_error *err);
int cr_manifest_add_pack(struct cr_manifest *m, const struct cr_manifest_pack *pack, struct cr_error *err);
int cr_manifest_add_output(struct cr_manifest *m, const struct cr_manifest_output *output,
			   struct cr_error *err); /* copies the strings, as the next two do */
int cr_manifest_add_binary(struct cr_manifest *m, const struct cr_manifest_binary *binary, struct cr_error *err);
int cr_manifest_add_rollback(struct cr_manifest *m, const char *path, const char *stream, struct cr_error *err);

/* Hash every regular file below dir (not manifest.json, manifest.seal, pack) into m->files, sorted by path. Files
 * that m names already (hashed while they were written) are not read again. */
int cr_manifest_hash_dir(struct cr_manifest *m, const char *dir, struct cr_error *err);

/* *text is malloc'ed; the caller frees. Indented JSON, keys in a fixed order, newline at the end. What decode
 * would refuse is refused here already, while the job still runs. */
int cr_manifest_encode(const struct cr_manifest *m, char **text, struct cr_error *err);

/* Validates everything: types, ranges, required keys, relative paths that stay inside ("..", absolute and
 * empty ones are refused), hash digits. A format newer than CR_MANIFEST_FORMAT is refused with a line that
 * names both. On error m is left cleared. */
int cr_manifest_decode(struct cr_manifest *m, const char *text, size_t size, struct cr_error *err);

/* DIR/manifest.json. */
int cr_manifest_read(struct cr_manifest *m, const char *dir, struct cr_error *err);

/* Compare size and hash of every file named in m with what lies in dir; the first difference is the error.
 * Of format 1 that is the whole generation; later ones keep most of it in packs, see image.h. */
int cr_manifest_verify(const struct cr_manifest *m, const char *dir, struct cr_error *err);

#endif
