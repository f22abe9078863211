# What the scripts here share. Sourced, never run.
set -euo pipefail
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/iohops-vm
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A series is Debian's for x86-64, 6.12, or with the flavour before it: arm64-6.12, arm64-16k-6.12.
flavour_of() { case $1 in *-*) echo "${1%-*}" ;; *) echo amd64 ;; esac; }
arch_of() { flavour_of "$1" | cut -d- -f1; }

# apt_config DIR ARCH SUITE...: an apt of its own in DIR; the machine's sources stay as they are.
MIRROR=http://deb.debian.org
apt_config() {
    local folder=$1 arch=$2
    shift 2
    mkdir -p "$folder"/{lists/partial,archives/partial,state}
    : >"$folder/status"
    for suite in "$@"; do
        case $suite in
        *-security) echo "deb $MIRROR/debian-security $suite main" ;;
        *) echo "deb $MIRROR/debian $suite main" ;;
        esac
    done >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
Dir::State "$folder/state";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::http::Timeout "20";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG=$folder/apt.conf
}

# One at a time in the cache; released when the script ends.
lock() {
    mkdir -p "$CACHE"
    exec 9>"$CACHE/lock"
    flock 9
}

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# modules KERNEL_DIR OUT_DIR MODULE...: them and what they need, unpacked (emulated, it would take
# seconds), into OUT_DIR; OUT_DIR/order is the order to load them in. Built-in ones give nothing.
modules() {
    local kernel=$1 out=$2 version file name
    version=$(cat "$kernel/version")
    shift 2
    mkdir -p "$out"
    for module in "$@"; do
        modprobe -d "$kernel" -S "$version" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" { print $2 }' || true
    done | awk '!seen[$0]++' >"$out/files"
    : >"$out/order"
    while read -r file; do
        name=$(basename "$file" | sed 's/\.\(xz\|zst\)$//')
        case $file in
        *.xz) xz -dc "$file" >"$out/$name" ;;
        *.zst) zstd -qdc "$file" >"$out/$name" ;;
        *) cp "$file" "$out/$name" ;;
        esac
        # A polled queue, for completions that are polled for.
        [ "$name" != nvme.ko ] || name+=" poll_queues=1"
        echo "$name" >>"$out/order"
    done <"$out/files"
    rm "$out/files"
}
