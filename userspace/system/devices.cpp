#include "system/devices.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace iohops {
namespace {

namespace fs = std::filesystem;

// Feature bit VIRTIO_F_ACCESS_PLATFORM: the device is reached through the DMA API. Without it
// vring_map_one_sg() hands physical addresses over and no dma:* event ever fires.
constexpr size_t kVirtioAccessPlatform = 33;

// Drivers that serve requests by CPU or through another block device, by the stem of the disk's
// name, and the driver's own name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kSoftware{{
    {"loop", "loop"},
    {"zram", "zram"},
    {"ram", "brd"},
    {"dm-", "device-mapper"},
    {"md", "md"},
    {"nbd", "nbd"},
    {"nullb", "null_blk"},
    {"pmem", "pmem"},
    {"rbd", "rbd"},
    {"drbd", "drbd"},
    {"bcache", "bcache"},
    {"ublkb", "ublk"},
    {"zd", "zvol"},
    {"rnbd", "rnbd"},
}};

// Drivers below a real-looking bus that copy by CPU all the same.
constexpr std::array<std::string_view, 4> kNoDmaDrivers{"nd_pmem", "scsi_debug", "tcm_loop",
                                                        "dax_pmem"};

// Network drivers that hand packets to a host by copying them (sysfs's names; vif is Xen's).
constexpr std::array<std::string_view, 3> kNoDmaNetworkDrivers{"hv_netvsc", "vif", "netdevsim"};

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<uint32_t> parse_uint(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "254:1" -> kernel dev_t.
std::optional<uint32_t> parse_dev(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = parse_uint(text.substr(0, colon));
  const auto minor = parse_uint(text.substr(colon + 1));
  if (!major || !minor || *major >= 1U << 12 || *minor >= 1U << 20) return std::nullopt;
  return *major << 20 | *minor;
}

// Name of what a symlink in sysfs points to, empty if there is none.
std::string link_name(const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  return error ? std::string() : target.filename().string();
}

std::string_view software_driver(std::string_view disk) {
  for (const auto& [stem, driver] : kSoftware)
    if (disk.substr(0, stem.size()) == stem && disk.size() > stem.size() &&
        disk[stem.size()] >= '0' && disk[stem.size()] <= '9')
      return driver;
  return {};
}

// NVMe over what: the controller's transport file, also behind a multipath head.
std::string nvme_transport(const fs::path& device) {
  std::string transport = first_line(device / "transport");
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(device, error)) {
    if (!transport.empty()) break;
    if (entry.path().filename().string().rfind("nvme", 0) == 0)
      transport = first_line(entry.path() / "transport");
  }
  return transport;
}

void describe_nvme(const fs::path& device, BlockDevice& block) {
  const std::string transport = nvme_transport(device);
  block.device.driver = transport.empty() || transport == "pcie" ? "nvme" : "nvme-" + transport;
  block.device.dma = transport != "tcp" && transport != "loop";
  block.dma_api = block.device.dma;
}

// Walks from the disk's device up to the adapter whose driver moves the data: a SCSI disk's own
// driver (sd) only builds commands.
void describe_hardware(const fs::path& device, const fs::path& root, BlockDevice& block) {
  std::string nearest;
  for (fs::path at = device; at != root && at.has_relative_path(); at = at.parent_path()) {
    const std::string driver = link_name(at / "driver");
    if (driver.empty()) continue;
    if (nearest.empty()) nearest = driver;
    const std::string bus = link_name(at / "subsystem");
    if (bus == "scsi") continue;
    block.device.driver = driver;
    block.device.dma =
        std::find(kNoDmaDrivers.begin(), kNoDmaDrivers.end(), driver) == kNoDmaDrivers.end();
    block.dma_api = block.device.dma;
    if (bus == "virtio") {
      const std::string features = first_line(at / "features");
      block.dma_api =
          features.size() > kVirtioAccessPlatform && features[kVirtioAccessPlatform] == '1';
    }
    return;
  }
  block.device.driver = nearest;  // software SCSI, such as iSCSI over TCP: nobody below has DMA
}

void describe_disk(const fs::path& disk, const fs::path& root, BlockDevice& block) {
  const std::string name = disk.filename().string();
  block.device.logical_block_size =
      parse_uint(first_line(disk / "queue/logical_block_size")).value_or(512);
  std::error_code error;
  const fs::path device = fs::canonical(disk / "device", error);
  if (const std::string_view software = software_driver(name); !software.empty())
    block.device.driver = software;
  else if (name.rfind("nvme", 0) == 0 && !error)
    describe_nvme(device, block);
  else if (!error)
    describe_hardware(device, root, block);
  if (block.device.dma && !block.dma_api)
    block.note = block.device.driver + " passes physical addresses to the host (no " +
                 "VIRTIO_F_ACCESS_PLATFORM), so no dma:* event comes from it";
}

std::optional<BlockDevice> read_device(const fs::path& link, const fs::path& root) {
  std::error_code error;
  const fs::path path = fs::canonical(link, error);
  const auto id = parse_dev(link.filename().string());
  if (error || !id) return std::nullopt;
  const bool partition = fs::exists(path / "partition", error);
  const fs::path disk = partition ? path.parent_path() : path;
  BlockDevice block;
  block.device.id = *id;
  block.device.name = path.filename().string();
  // sysfs writes the '/' of names such as cciss/c0d0 so.
  std::replace(block.device.name.begin(), block.device.name.end(), '!', '/');
  block.disk = *id;
  if (partition) {
    const auto disk_id = parse_dev(first_line(disk / "dev"));
    if (!disk_id) return std::nullopt;
    block.disk = block.device.disk = *disk_id;
  }
  describe_disk(disk, root, block);
  return block;
}

}  // namespace

std::vector<BlockDevice> list_block_devices(const std::string& sysfs) {
  std::vector<BlockDevice> devices;
  std::error_code error;
  const fs::path root = fs::canonical(sysfs, error);
  for (const auto& entry : fs::directory_iterator(fs::path(sysfs) / "dev/block", error))
    if (auto device = read_device(entry.path(), root)) devices.push_back(std::move(*device));
  std::sort(devices.begin(), devices.end(),
            [](const BlockDevice& a, const BlockDevice& b) { return a.device.id < b.device.id; });
  return devices;
}

std::vector<Device> list_network_devices(const std::string& sysfs) {
  std::vector<Device> devices;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(sysfs) / "class/net", error)) {
    const auto index = parse_uint(first_line(entry.path() / "ifindex"));
    if (!index) continue;
    Device device;
    device.id = network_device(static_cast<uint32_t>(*index));
    device.name = entry.path().filename().string();
    device.driver = link_name(entry.path() / "device/driver");
    // A USB adapter moves its packets by its host controller's DMA all the same.
    device.dma = !device.driver.empty() &&
                 std::find(kNoDmaNetworkDrivers.begin(), kNoDmaNetworkDrivers.end(),
                           device.driver) == kNoDmaNetworkDrivers.end();
    devices.push_back(std::move(device));
  }
  std::sort(devices.begin(), devices.end(),
            [](const Device& a, const Device& b) { return a.id < b.id; });
  return devices;
}

std::vector<Device> model_devices(const std::vector<BlockDevice>& blocks) {
  std::vector<Device> devices;
  devices.reserve(blocks.size());
  for (const BlockDevice& block : blocks) devices.push_back(block.device);
  return devices;
}

}  // namespace iohops
