# What the scripts here share. Sourced, never run.
set -euo pipefail
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/iohops-vm
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

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
        echo "$name" >>"$out/order"
    done <"$out/files"
    rm "$out/files"
}
