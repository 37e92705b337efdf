#!/bin/bash
# build.sh TREE: make TREE, a Debian (see ../node.py), a node's file system, with the images that kubeadm expects in it.
# Needs $KUBERNETES (version), $BINARIES (hyperkube and pause), $COREDNS (static binaries), $DOCKER_HOST, $WORK (empty).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1
lib=usr/lib/$(uname -m)-linux-gnu

# One tree for every component that runs in a pod, with the tools that kube-proxy and nodenet call.
kube=$WORK/kube
mkdir -p "$kube"/{etc,lib,run,tmp,usr/bin,usr/sbin,usr/local/bin,var/lib} "$kube/$lib"
ln -s usr/bin "$kube/bin"
ln -s usr/sbin "$kube/sbin"
ln -s "$lib" "$kube/lib64"
ln -s "../$lib" "$kube/lib/$(basename "$lib")"
cp "$BINARIES/hyperkube" "$kube/usr/local/bin/"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl nodenet; do
  ln -s hyperkube "$kube/usr/local/bin/$name"
done
cp "$root"/usr/sbin/{xtables-nft-multi,conntrack,nft} "$kube/usr/sbin/"
cp "$root"/bin/{dash,ip} "$kube/usr/bin/"
ln -s dash "$kube/usr/bin/sh"
for name in {iptables,ip6tables}{,-save,-restore}; do ln -s xtables-nft-multi "$kube/usr/sbin/$name"; done
cp -r "$root/$lib/xtables" "$kube/$lib/"
chroot "$root" sh -c "ldd /usr/sbin/xtables-nft-multi /usr/sbin/conntrack /usr/sbin/nft /bin/dash /bin/ip /$lib/xtables/*.so" |
  grep -oE '/lib[^ :]+ \(' | cut -d' ' -f1 | sort -u | while read -r file; do cp -L "$root$file" "$kube/$lib/"; done
cp "$root"/etc/{protocols,services,nsswitch.conf} "$kube/etc/" 2>/dev/null || true
echo 'root:x:0:0:root:/:/bin/sh' >"$kube/etc/passwd"

import() { # import DIR TAG CHANGE...: the tree as an image of one layer
  local dir=$1 tag=$2 changes=()
  shift 2
  for change in "$@"; do changes+=(--change "$change"); done
  tar -C "$dir" --numeric-owner --exclude='./dev/*' -c . | docker import "${changes[@]}" - "$tag" >/dev/null
}
named() { printf '%s\n' "${images[@]}" | grep "/$1:"; }
ln -s "$BINARIES/hyperkube" "$WORK/kubeadm"
mapfile -t images < <("$WORK/kubeadm" config images list --kubernetes-version "$KUBERNETES")
path='ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
base=$(named kube-apiserver)
import "$kube" "$base" "$path" 'WORKDIR /'
for name in kube-controller-manager kube-scheduler kube-proxy etcd; do docker tag "$base" "$(named $name)"; done
install -D "$COREDNS" "$WORK/coredns/coredns"
import "$WORK/coredns" "$(named coredns)" 'ENTRYPOINT ["/coredns"]'
install -D "$BINARIES/pause" "$WORK/pause/pause"
import "$WORK/pause" "$(named pause)" 'ENTRYPOINT ["/pause"]'

# The node.
mkdir -p "$root"/kind/{images,manifests} "$root"/etc/{containerd,kubernetes/manifests,cni/net.d} "$root/opt/cni"
ln -sfn /usr/lib/cni "$root/opt/cni/bin"
docker save -o "$root/kind/images/all.tar" "${images[@]}"
docker rmi --force "${images[@]}" >/dev/null
sed "s|@KUBE@|$base|" "$here/default-cni.yaml" >"$root/kind/manifests/default-cni.yaml"
sed "s|@PAUSE@|$(named pause)|" "$here/containerd.toml" >"$root/etc/containerd/config.toml"
cp "$here"/{entrypoint,systemctl,journalctl} "$root/usr/local/bin/"
printf '%s' "$KUBERNETES" >"$root/kind/version"
cp "$BINARIES/hyperkube" "$root/usr/bin/"
for name in kubeadm kubelet kubectl crictl; do ln -sfn hyperkube "$root/usr/bin/$name"; done
import "$root" "$IMAGE" 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' 'ENV container=docker' "$path"
