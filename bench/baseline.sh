#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The bare minimum by hand, one step after the other: what bench/bring_up is compared with.
# baseline.sh up IMAGE CNI_MANIFEST CGROUP_V2(0|1)   |   baseline.sh down
# Three nodes on one bridge from the same node image, kubeadm init, flannel, two joins, wait. No checks, no proof.
set -euo pipefail
work=${REFTOPO_CACHE:-$HOME/.cache/reftopo}/nodes/bench-baseline
nodes=(cp1 w1 w2)
config=/root/kubeadm.yaml

phase() { echo "$EPOCHREALTIME $1"; }
node() { local name=$1; shift; podman exec -i "bench-baseline.$name" "$@"; }

down() {
  podman rm --force --ignore --time 0 "${nodes[@]/#/bench-baseline.}" >/dev/null
  for name in "${nodes[@]}"; do
    if mountpoint -q "$work/$name/rootfs"; then umount "$work/$name/rootfs"; fi
    ip link del "bench-$name" 2>/dev/null || true # a namespace lives on while a process is in it
    ip netns del "bench-baseline.$name" 2>/dev/null || true
  done
  ip link del bench-br 2>/dev/null || true
  rm -rf --one-file-system "$work"
}

make_node() {
  local name=$1 address=$2 image=$3 legacy=() netns=bench-baseline.$1
  [ "$cgroup_v2" = 1 ] || legacy=(systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1)
  ip netns add "$netns"
  ip link add "bench-$name" type veth peer name eth0 netns "$netns"
  ip link set "bench-$name" master bench-br up
  ip -n "$netns" address add "$address/24" dev eth0
  ip -n "$netns" link set lo up
  ip -n "$netns" link set eth0 up
  ip -n "$netns" route add default dev eth0
  mkdir -p "$work/$name"/{upper,work,rootfs,kubelet,etcd}
  cp -al "$image/containerd" "$work/$name/containerd"
  # Databases are written to, so they must not be shared.
  find "$image/containerd" -name '*.db' -printf '%P\n' | while read -r database; do
    cp --remove-destination "$image/containerd/$database" "$work/$name/containerd/$database"
  done
  mount -t overlay -o "lowerdir=$image/rootfs,upperdir=$work/$name/upper,workdir=$work/$name/work" none "$work/$name/rootfs"
  podman --runtime runc run --detach --name "bench-baseline.$name" --hostname "$name" --network "ns:/run/netns/$netns" \
    --privileged --systemd=false --tmpfs /run:mode=755 --tmpfs /tmp --env container=podman --cgroupns private \
    --pids-limit -1 --ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=32768:32768 \
    --dns 172.30.99.1 --add-host cp1:172.30.99.11 --add-host w1:172.30.99.12 --add-host w2:172.30.99.13 \
    --volume "$work/$name/containerd:/var/lib/containerd" \
    --volume "$work/$name/kubelet:/var/lib/kubelet" --volume "$work/$name/etcd:/var/lib/etcd" \
    --rootfs "$work/$name/rootfs" /sbin/init "${legacy[@]}" >/dev/null
  node "$name" sh -c 'until ctr version >/dev/null 2>&1; do sleep 0.2; done'
}

init_config() {
  cat <<EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {ignorePreflightErrors: [SystemVerification]}
localAPIEndpoint: {advertiseAddress: 172.30.99.11}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
featureGates: {KubeletInUserNamespace: true}
evictionHard: {nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
imageGCHighThresholdPercent: 100
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0, min: 0}
EOF
}

up() {
  local image=$1 manifest=$2 cgroup_v2=$3 join
  phase nodes
  ip link add bench-br type bridge
  ip address add 172.30.99.1/24 dev bench-br
  ip link set bench-br up
  make_node cp1 172.30.99.11 "$image"
  make_node w1 172.30.99.12 "$image"
  make_node w2 172.30.99.13 "$image"
  phase "kubeadm init"
  init_config | node cp1 sh -c "cat >$config && kubeadm init --config $config" >/dev/null
  phase "flannel"
  node cp1 kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - >/dev/null < <(sed "s/172.30.10.11/172.30.99.11/" "$manifest") # flannel is told the API's address
  phase "kubeadm join"
  join=$(node cp1 kubeadm token create --print-join-command)
  for name in w1 w2; do node "$name" sh -c "$join --ignore-preflight-errors=SystemVerification" >/dev/null; done
  phase "wait"
  node cp1 kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for=condition=Ready --timeout=180s node --all >/dev/null
  node cp1 kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system wait --for=condition=Available \
    --timeout=180s deployment/coredns >/dev/null
  phase "end"
}

"$@"
