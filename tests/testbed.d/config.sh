# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# config.sh - the layer with everything that makes the root file system this cluster: Slurm's configuration,
# the munge key, the names of the nodes

# the plugin's line in the nodes' plugstack.conf.d/spank_cr.conf
CONFIG_PLUGIN_ARGS='dir=/shared/checkpoints/%u interval=1h fence=2s'

CONFIG_CPUS=4

# config_layer NODES - write it anew; no node may be running
config_layer() {
	local nodes=$1 etc=$STATE/config/etc base
	base=$(rootfs_path base)
	# with what tests have changed on the nodes
	rm -rf "$STATE/config" "$STATE"/nodes/n*/upper/etc/slurm
	mkdir -p "$etc/slurm/plugstack.conf.d"
	config_slurm_conf "$nodes" >"$etc/slurm/slurm.conf"
	config_cgroup_conf >"$etc/slurm/cgroup.conf"
	if [ -n "${TESTBED_ACCOUNTING:-}" ]; then
		config_slurmdbd_conf >"$etc/slurm/slurmdbd.conf"
		chmod 600 "$etc/slurm/slurmdbd.conf"
		chown "$(config_owner "$base" slurm)" "$etc/slurm/slurmdbd.conf"
	fi
	echo 'include /etc/slurm/plugstack.conf.d/*.conf' >"$etc/slurm/plugstack.conf"
	config_plugin_line >"$etc/slurm/plugstack.conf.d/spank_cr.conf"
	install -D -m 755 "$TESTBED_LIB/node-reboot" "$STATE/config/usr/local/sbin/node-reboot"
	config_hosts "$nodes" >"$etc/hosts"
	install -d -m 700 "$etc/munge"
	head -c 1024 /dev/urandom >"$etc/munge/munge.key"
	chmod 400 "$etc/munge/munge.key"
	chown -R "$(config_owner "$base" munge)" "$etc/munge"
}

# config_owner ROOT USER - uid:gid of a user of the nodes, as a number
config_owner() {
	awk -F: -v user="$2" '$1 == user { print $3 ":" $4 }' "$1/etc/passwd"
}

config_plugin_line() {
	local plugin
	plugin=$(build_plugin_path)
	if [ -n "$plugin" ]; then
		echo "required $plugin $CONFIG_PLUGIN_ARGS"
	else
		echo "# spank_cr is not installed"
	fi
}

config_hosts() {
	local i
	echo "127.0.0.1 localhost"
	for i in $(seq 0 "$1"); do
		echo "$(node_address "n$i") n$i"
	done
}

config_slurm_conf() {
	local nodes=$1 memory timeout=${TESTBED_TIMEOUT:-5} accounting=none
	[ -z "${TESTBED_ACCOUNTING:-}" ] || accounting=slurmdbd
	memory=$(awk -v n="$nodes" -v most="${TESTBED_MEMORY:-4000}" \
		'/^MemTotal/ { m = int($2 / 1024 / (n + 1)); print m < most ? m : most }' /proc/meminfo)
	cat <<-EOF
	ClusterName=testbed
	SlurmctldHost=n0
	SlurmUser=slurm
	AuthType=auth/munge
	# a requeued job waits until its old credential has expired: 121 s by default
	AuthInfo=cred_expire=5
	StateSaveLocation=/var/lib/slurm/slurmctld
	SlurmdSpoolDir=/var/lib/slurm/slurmd-%n
	SlurmctldPidFile=/run/slurm/slurmctld.pid
	SlurmdPidFile=/run/slurm/slurmd.pid
	SlurmctldLogFile=/var/log/slurm/slurmctld.log
	SlurmdLogFile=/var/log/slurm/slurmd.log
	SlurmctldDebug=verbose
	SlurmdDebug=debug
	MailProg=/bin/true
	ProctrackType=proctrack/cgroup
	TaskPlugin=task/cgroup,task/affinity
	# the nodes pretend to have more processors than the machine, so nothing can be bound to them
	TaskPluginParam=none
	JobAcctGatherType=jobacct_gather/cgroup
	JobAcctGatherFrequency=task=5
	AccountingStorageType=accounting_storage/$accounting
	AccountingStorageHost=n0
	# the final states of jobs, for the tests
	JobCompType=jobcomp/filetxt
	JobCompLoc=/var/log/slurm/jobcomp.log
	MinJobAge=86400
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core_Memory
	DefMemPerCPU=500
	SlurmdParameters=config_overrides
	PlugStackConfig=/etc/slurm/plugstack.conf
	PrologFlags=Alloc
	# a dead node is noticed after some 25 s and its jobs start again; a cycle of pings takes MessageTimeout when a
	# node is dead, and a SlurmdTimeout shorter than two cycles would declare the living ones dead too
	MessageTimeout=$timeout
	SlurmdTimeout=$((timeout * 5 / 2))
	ReturnToService=2
	JobRequeue=1
	KillWait=30
	PreemptType=preempt/partition_prio
	PreemptMode=REQUEUE
	SchedulerType=sched/backfill
	SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0,bf_interval=1
	NodeName=n[1-$nodes] CPUs=$CONFIG_CPUS RealMemory=$memory State=UNKNOWN
	# jobs that say --oversubscribe share the processors
	PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE PriorityTier=1 OverSubscribe=YES:16
	PartitionName=urgent Nodes=n[1-$nodes] MaxTime=INFINITE PriorityTier=10
	# jobs there that urgent ones preempt have some time more, or are not started again
	PartitionName=grace Nodes=n[1-$nodes] MaxTime=INFINITE PriorityTier=1 GraceTime=30
	PartitionName=cheap Nodes=n[1-$nodes] MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL
	RebootProgram=/usr/local/sbin/node-reboot
	EOF
}

config_slurmdbd_conf() {
	cat <<-EOF
	AuthType=auth/munge
	DbdHost=n0
	SlurmUser=slurm
	StorageType=accounting_storage/mysql
	StorageHost=localhost
	StorageUser=slurm
	StorageLoc=slurm_acct_db
	LogFile=/var/log/slurm/slurmdbd.log
	PidFile=/run/slurm/slurmdbd.pid
	DebugLevel=verbose
	EOF
}

config_cgroup_conf() {
	if [ "$(cgroup_version)" = 2 ]; then
		# no systemd on the nodes: slurmd has to make its own tree
		printf '%s\n' CgroupPlugin=cgroup/v2 IgnoreSystemd=yes
	else
		printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup
	fi
	printf '%s\n' ConstrainRAMSpace=yes ConstrainCores=no ConstrainDevices=no
}
