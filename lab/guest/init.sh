#!/bin/busybox sh
# First process of a lab guest: sets the scene, tells the truth, ends the kernel.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for word in $(cat /proc/cmdline); do
	case $word in
	lab.scenario=*) scenario=${word#*=} ;;
	lab.tasks=*) tasks=${word#*=} ;;
	lab.note=*) note=${word#*=} ;;
	esac
done
say() { echo "=== $*" >/dev/ttyS1; }
for module in $(cat /modules/order); do
	case $module in qemu_fw_cfg) [ "$note" = yes ] || continue ;; esac
	insmod "/modules/$module.ko" || say "fail insmod $module"
done

if [ -s /proc/vmcore ]; then
	dd if=/proc/vmcore of=/dev/vdb bs=1M 2>/dev/null && sync &&
		say "end vmcore $(stat -c %s /proc/vmcore)"
	exec sleep 1000000
fi

echo 1 >/proc/sys/kernel/sysrq
echo 0 >/proc/sys/kernel/kptr_restrict
echo 1 >/proc/sys/kernel/panic_on_oops
hostname inquest-lab
mkdir -p /tmp /mnt/disk /mnt/bind /sys/fs/cgroup
mount -t tmpfs -o size=64m lab /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup && mkdir /sys/fs/cgroup/lab
mount -t debugfs debug /sys/kernel/debug
ip link set lo up
cp /disk /tmp/disk
losetup /dev/loop0 /tmp/disk
mount -t ext4 /dev/loop0 /mnt/disk || say "fail mount"
mount -o bind /tmp /mnt/bind

if [ "$scenario" = kexec ]; then
	labguest kexec /kernel /initrd "console=ttyS0 nr_cpus=1 reset_devices cgroup_disable=memory lab.note=no" ||
		say "fail kexec"
fi
labguest workload "$tasks" || say "fail workload"
sleep 3
labguest capture /dev/vda || say "fail capture"
sync
sleep 2
say "ready"
case $scenario in kexec) how=sysrq ;; *) how=$scenario ;; esac
labguest trigger "$how"
say "fail trigger $how"
exec sleep 1000000
