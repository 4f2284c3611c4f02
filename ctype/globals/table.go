package globals

// table declares a variable a line, the newest kernel's type first. Which one
// holds is chosen by the types that exist, so a line may only list alternatives
// that tell kernels apart. "[]" leaves open a length that depends on the
// kernel's configuration. The lines were checked against the debug information
// of Debian's 6.1 and 6.12 kernels where these have the variable.
const table = `
init_task: struct task_struct
init_mm: struct mm_struct
init_pid_ns: struct pid_namespace
init_user_ns: struct user_namespace
init_uts_ns: struct uts_namespace
init_ipc_ns: struct ipc_namespace
init_time_ns: struct time_namespace
init_cgroup_ns: struct cgroup_namespace
init_net: struct net
init_nsproxy: struct nsproxy
init_cred: struct cred
init_groups: struct group_info
init_fs: struct fs_struct
init_files: struct files_struct
init_signals: struct signal_struct
init_sighand: struct sighand_struct
init_css_set: struct css_set
init_struct_pid: struct pid
root_user: struct user_struct
tasklist_lock: rwlock_t
total_forks: unsigned long
nr_threads: int
max_threads: int
root_task_group: struct task_group
task_groups: struct list_head
def_root_domain: struct root_domain
sched_domain_topology: struct sched_domain_topology_level *
scheduler_running: int
sysctl_sched_features: unsigned int
fair_sched_class: const struct sched_class
rt_sched_class: const struct sched_class
dl_sched_class: const struct sched_class
idle_sched_class: const struct sched_class
stop_sched_class: const struct sched_class
avenrun: unsigned long [3]
calc_load_tasks: atomic_long_t
calc_load_update: unsigned long
housekeeping: struct housekeeping

modules: struct list_head
module_mutex: struct mutex
module_kset: struct kset *
mod_tree: struct mod_tree_root
module_notify_list: struct blocking_notifier_head
modules_disabled: int
btf_modules: struct list_head
btf_vmlinux: struct btf *
btf_idr: struct idr

prb: struct printk_ringbuffer *
printk_rb_static: struct printk_ringbuffer
printk_rb_dynamic: struct printk_ringbuffer
log_buf: char *
log_buf_len: u32
log_first_idx: u32
log_next_idx: u32
log_first_seq: u64
log_next_seq: u64
clear_seq: struct latched_seq | u64
clear_idx: u32
syslog_seq: u64
console_drivers: struct console *
console_list: struct hlist_head
console_printk: int [4]
printk_ratelimit_state: struct ratelimit_state

oops_in_progress: int
panic_on_oops: int
panic_on_warn: int
panic_timeout: int
panic_print: unsigned long
panic_cpu: atomic_t
crashing_cpu: int
panic_notifier_list: struct atomic_notifier_head
die_lock: arch_spinlock_t
die_owner: int
die_nest_count: unsigned int
tainted_mask: unsigned long
crash_kexec_post_notifiers: bool
kexec_image: struct kimage *
kexec_crash_image: struct kimage *
crashk_res: struct resource
crashk_low_res: struct resource
crash_notes: note_buf_t *
vmcoreinfo_data: unsigned char *
vmcoreinfo_size: size_t
vmcoreinfo_note: u32 *
sysctl_panic_on_rcu_stall: int
sysctl_hung_task_timeout_secs: unsigned long
sysctl_hung_task_warnings: int
softlockup_panic: unsigned int
watchdog_thresh: int
watchdog_cpumask: struct cpumask
watchdog_user_enabled: int
system_state: enum system_states
reboot_cpu: int
reboot_mode: enum reboot_mode
reboot_type: enum reboot_type

jiffies: volatile unsigned long
jiffies_64: u64
tk_core: struct tk_data
shadow_timekeeper: struct timekeeper
timekeeper: struct timekeeper
curr_clocksource: struct clocksource *
clocksource_list: struct list_head
clockevent_devices: struct list_head
clockevents_released: struct list_head
tick_broadcast_device: struct tick_device
tick_do_timer_cpu: int
tick_next_period: ktime_t
alarm_bases: struct alarm_base [2]
posix_timers_hashtable: struct hlist_head [512]
loops_per_jiffy: unsigned long
cpu_khz: unsigned int
tsc_khz: unsigned int

linux_banner: const char []
linux_proc_banner: const char []
saved_command_line: char *
boot_command_line: char [2048]
boot_params: struct boot_params
boot_cpu_data: struct cpuinfo_x86
e820_table: struct e820_table *
e820_table_kexec: struct e820_table *
e820_table_firmware: struct e820_table *
efi: struct efi
efi_mm: struct mm_struct
pv_ops: struct paravirt_patch_template
pv_info: struct pv_info
x86_hyper_type: enum x86_hypervisor_type
xen_domain_type: enum xen_domain_type
HYPERVISOR_shared_info: struct shared_info *
xen_start_info: struct start_info *
dmi_ident: const char *[]
dmi_len: u32
dmi_base: phys_addr_t
acpi_disabled: int
acpi_gbl_root_table_list: struct acpi_table_list
acpi_gbl_root_node: struct acpi_namespace_node *

nr_cpu_ids: unsigned int
__cpu_possible_mask: struct cpumask
__cpu_online_mask: struct cpumask
__cpu_present_mask: struct cpumask
__cpu_active_mask: struct cpumask
__cpu_dying_mask: struct cpumask
__num_online_cpus: atomic_t
__per_cpu_offset: unsigned long []
pcpu_base_addr: void *
pcpu_unit_offsets: const unsigned long *
pcpu_nr_units: int
pcpu_unit_size: int
pcpu_nr_groups: int
pcpu_chunk_lists: struct list_head *
pcpu_slot: struct list_head *
pcpu_nr_slots: int
pcpu_first_chunk: struct pcpu_chunk *
pcpu_reserved_chunk: struct pcpu_chunk *
pcpu_unit_map: const int *

mem_section: struct mem_section **
mem_map: struct page *
max_mapnr: unsigned long
max_pfn: unsigned long
max_low_pfn: unsigned long
min_low_pfn: unsigned long
max_pfn_mapped: unsigned long
high_memory: void *
phys_base: unsigned long
page_offset_base: unsigned long
vmalloc_base: unsigned long
vmemmap_base: unsigned long
__pgtable_l5_enabled: unsigned int
pgdir_shift: unsigned int
ptrs_per_p4d: unsigned int
sme_me_mask: u64
_totalram_pages: atomic_long_t
totalreserve_pages: unsigned long
totalcma_pages: unsigned long
node_data: struct pglist_data *[]
contig_page_data: struct pglist_data
node_states: nodemask_t []
nr_node_ids: unsigned int
nr_online_nodes: unsigned int
zone_names: char * const []
vm_node_stat: atomic_long_t []
vm_zone_stat: atomic_long_t []
vm_numa_event: atomic_long_t []
memblock: struct memblock
iomem_resource: struct resource
ioport_resource: struct resource
swap_info: struct swap_info_struct *[]
nr_swapfiles: unsigned int
nr_swapper_spaces: unsigned int []
swap_active_head: struct plist_head
swap_avail_heads: struct plist_head *
total_swap_pages: long
nr_swap_pages: atomic_long_t
hstates: struct hstate []
default_hstate_idx: unsigned int
hugetlb_max_hstate: int
slab_caches: struct list_head
slab_mutex: struct mutex
slab_state: enum slab_state
kmem_cache: struct kmem_cache *
kmem_cache_node: struct kmem_cache *
vmlist: struct vm_struct *
vmap_area_list: struct list_head
vmap_area_root: struct rb_root
vmap_nodes: struct vmap_node *
nr_vmap_nodes: unsigned int
free_vmap_area_list: struct list_head
free_vmap_area_root: struct rb_root
vm_committed_as: struct percpu_counter
sysctl_overcommit_memory: int
sysctl_overcommit_ratio: int
root_mem_cgroup: struct mem_cgroup *
shrinker_list: struct list_head
min_free_kbytes: int
watermark_scale_factor: int
ksm_run: unsigned long
transparent_hugepage_flags: unsigned long
khugepaged_scan: struct khugepaged_scan
huge_zero_page: struct page *
huge_zero_folio: struct folio *
zswap_pools: struct list_head
stack_guard_gap: unsigned long
task_struct_cachep: struct kmem_cache *
vm_area_cachep: struct kmem_cache *
sighand_cachep: struct kmem_cache *
signal_cachep: struct kmem_cache *
files_cachep: struct kmem_cache *
fs_cachep: struct kmem_cache *
mm_cachep: struct kmem_cache *
cred_jar: struct kmem_cache *
filp_cachep: struct kmem_cache *
inode_cachep: struct kmem_cache *
dentry_cache: struct kmem_cache *
mnt_cache: struct kmem_cache *
names_cachep: struct kmem_cache *

super_blocks: struct list_head
sb_lock: spinlock_t
file_systems: struct file_system_type *
inode_hashtable: struct hlist_head *
i_hash_shift: unsigned int
i_hash_mask: unsigned int
dentry_hashtable: struct hlist_bl_head *
d_hash_shift: unsigned int
mount_hashtable: struct hlist_head *
mountpoint_hashtable: struct hlist_head *
m_hash_mask: unsigned int
mp_hash_mask: unsigned int
files_stat: struct files_stat_struct
inodes_stat: struct inodes_stat_t
dentry_stat: struct dentry_stat_t
nr_files: struct percpu_counter
blockdev_superblock: struct super_block *
major_names: struct blk_major_name *[255]
chrdevs: struct char_device_struct *[255]
cdev_map: struct kobj_map *
misc_list: struct list_head
block_class: struct class
proc_root: struct proc_dir_entry
sysfs_root_kn: struct kernfs_node *
sysctl_table_root: struct ctl_table_root
shm_mnt: struct vfsmount *
pipe_mnt: struct vfsmount *
sock_mnt: struct vfsmount *
anon_inode_mnt: struct vfsmount *
bdi_list: struct list_head
noop_backing_dev_info: struct backing_dev_info
cgrp_dfl_root: struct cgroup_root
cgroup_subsys: struct cgroup_subsys *[]
cgroup_roots: struct list_head
cgroup_hierarchy_idr: struct idr
css_set_table: struct hlist_head [128]
css_set_count: int

net_namespace_list: struct list_head
pernet_list: struct list_head
rtnl_mutex: struct mutex
tcp_hashinfo: struct inet_hashinfo
udp_table: struct udp_table
udplite_table: struct udp_table
raw_v4_hashinfo: struct raw_hashinfo
raw_v6_hashinfo: struct raw_hashinfo
arp_tbl: struct neigh_table
nd_tbl: struct neigh_table
neigh_tables: struct neigh_table *[]
ptype_all: struct list_head
ptype_base: struct list_head [16]
proto_list: struct list_head
net_families: const struct net_proto_family *[]
tcp_prot: struct proto
udp_prot: struct proto
tcp_memory_allocated: atomic_long_t
tcp_sockets_allocated: struct percpu_counter
skbuff_head_cache: struct kmem_cache *
net_hotdata: struct net_hotdata
nl_table: struct netlink_table *

irq_desc_tree: struct xarray
sparse_irqs: struct maple_tree
nr_irqs: int
irq_default_affinity: cpumask_var_t
irq_err_count: atomic_t
irq_domain_list: struct list_head
system_vectors: unsigned long []
idt_table: gate_desc [256]
idt_descr: struct desc_ptr
nr_ioapics: int
softirq_vec: struct softirq_action []
softirq_to_name: const char * const []

workqueues: struct list_head
wq_pool_mutex: struct mutex
wq_unbound_cpumask: cpumask_var_t
worker_pool_idr: struct idr
system_wq: struct workqueue_struct *
system_highpri_wq: struct workqueue_struct *
system_long_wq: struct workqueue_struct *
system_unbound_wq: struct workqueue_struct *
system_freezable_wq: struct workqueue_struct *
unbound_pool_hash: struct hlist_head [64]
rcu_state: struct rcu_state
rcu_tasks: struct rcu_tasks
rcu_num_nodes: int
rcu_cpu_stall_suppress: int
jiffies_till_first_fqs: unsigned long

tty_drivers: struct list_head
tty_mutex: struct mutex
input_dev_list: struct list_head
input_handler_list: struct list_head
bus_kset: struct kset *
class_kset: struct kset *
devices_kset: struct kset *
system_kset: struct kset *
pci_root_buses: struct list_head
pci_bus_type: struct bus_type
platform_bus: struct device
cpufreq_policy_list: struct list_head
cpufreq_driver: struct cpufreq_driver *

prog_idr: struct idr
map_idr: struct idr
link_idr: struct idr
bpf_kallsyms: struct list_head
ftrace_ops_list: struct ftrace_ops *
ftrace_enabled: int
ftrace_trace_arrays: struct list_head
ftrace_events: struct list_head
ftrace_pages_start: struct ftrace_page *
global_trace: struct trace_array
trace_types: struct tracer *
event_hash: struct hlist_head [128]
kprobe_table: struct hlist_head [64]
kprobe_blacklist: struct list_head
kprobes_all_disarmed: bool
optimizing_list: struct list_head
uprobes_tree: struct rb_root
jump_label_mutex: struct mutex
klp_patches: struct list_head
audit_enabled: u32
selinux_state: struct selinux_state
security_hook_heads: struct security_hook_heads
lsm_names: char *
key_user_tree: struct rb_root
key_serial_tree: struct rb_root
sys_call_table: const sys_call_ptr_t []
`
