// Block devices as sysfs shows them: one made-up tree, with the links that the kernel makes.
#include "system/devices.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace iohops {
namespace {

namespace fs = std::filesystem;

class FakeSysfs : public ::testing::Test {
 protected:
  FakeSysfs() { root_ = mkdtemp(name_); }
  ~FakeSysfs() override { fs::remove_all(root_); }

  void file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }
  void driver(const std::string& device, const std::string& bus, const std::string& driver) {
    fs::create_directories(root_ / device);
    fs::create_directories(root_ / "bus" / bus / "drivers" / driver);
    fs::create_symlink(root_ / "bus" / bus / "drivers" / driver, root_ / device / "driver");
    fs::create_symlink(root_ / "bus" / bus, root_ / device / "subsystem");
  }
  // A disk at `path`, below the device `parent` (empty: none).
  void disk(const std::string& number, const std::string& path, const std::string& parent = "",
            const std::string& block_size = "512") {
    file(path + "/dev", number);
    file(path + "/queue/logical_block_size", block_size);
    if (!parent.empty()) fs::create_symlink(root_ / parent, root_ / path / "device");
    link(number, path);
  }
  void link(const std::string& number, const std::string& path) {
    fs::create_directories(root_ / "dev/block");
    fs::create_symlink(root_ / path, root_ / "dev/block" / number);
  }
  BlockDevice device(const std::string& name) {
    for (const BlockDevice& block : list_block_devices(root_.string()))
      if (block.device.name == name) return block;
    ADD_FAILURE() << "no device " << name;
    return {};
  }

  char name_[32] = "/tmp/iohops-sysfs-XXXXXX";
  fs::path root_;
};

// Bits 0.. of a virtio device as a string of 64 digits.
std::string features(bool access_platform) {
  std::string bits(64, '0');
  bits[33] = access_platform ? '1' : '0';
  return bits;
}

TEST_F(FakeSysfs, virtio_disk_uses_the_dma_api_only_with_the_feature) {
  for (const bool offered : {false, true}) {
    const std::string at = offered ? "devices/pci0/virtio2" : "devices/pci0/virtio1";
    driver(at, "virtio", "virtio_blk");
    file(at + "/features", features(offered));
    disk(offered ? "254:16" : "254:0", at + (offered ? "/block/vdb" : "/block/vda"), at, "4096");
  }
  const BlockDevice plain = device("vda");
  EXPECT_EQ(plain.device.id, 254U << 20);
  EXPECT_EQ(plain.device.driver, "virtio_blk");
  EXPECT_EQ(plain.device.logical_block_size, 4096U);
  EXPECT_TRUE(plain.device.dma);
  EXPECT_FALSE(plain.dma_api);
  EXPECT_NE(plain.note.find("VIRTIO_F_ACCESS_PLATFORM"), std::string::npos);
  EXPECT_TRUE(device("vdb").dma_api);
  EXPECT_EQ(device("vdb").note, "");
}

TEST_F(FakeSysfs, a_partition_is_described_as_its_disk) {
  driver("devices/pci0/virtio1", "virtio", "virtio_blk");
  disk("254:0", "devices/pci0/virtio1/block/vda", "devices/pci0/virtio1", "4096");
  file("devices/pci0/virtio1/block/vda/vda1/partition", "1");
  link("254:1", "devices/pci0/virtio1/block/vda/vda1");
  const BlockDevice partition = device("vda1");
  EXPECT_EQ(partition.disk, 254U << 20);
  EXPECT_EQ(partition.device.disk, 254U << 20);
  EXPECT_EQ(partition.device.driver, "virtio_blk");
  EXPECT_EQ(partition.device.logical_block_size, 4096U);
  EXPECT_TRUE(partition.device.dma);
  EXPECT_EQ(device("vda").device.disk, 0U);
}

TEST_F(FakeSysfs, a_scsi_disk_has_the_driver_of_its_adapter) {
  const std::string scsi = "devices/pci0/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0";
  driver("devices/pci0/0000:00:1f.2", "pci", "ahci");
  driver(scsi, "scsi", "sd");
  disk("8:0", scsi + "/block/sda", scsi);
  EXPECT_EQ(device("sda").device.driver, "ahci");
  EXPECT_TRUE(device("sda").device.dma);
  EXPECT_TRUE(device("sda").dma_api);
}

TEST_F(FakeSysfs, network_devices_have_dma_if_hardware_is_behind_them) {
  const std::string card = "devices/pci0/0000:00:03.0", host = "devices/vmbus/1";
  driver(card, "pci", "e1000e");
  driver(host, "vmbus", "hv_netvsc");
  file("class/net/eth0/ifindex", "2");
  file("class/net/eth1/ifindex", "3");
  file("class/net/lo/ifindex", "1");
  fs::create_symlink(root_ / card, root_ / "class/net/eth0/device");
  fs::create_symlink(root_ / host, root_ / "class/net/eth1/device");
  const std::vector<Device> devices = list_network_devices(root_.string());
  ASSERT_EQ(devices.size(), 3U);  // by interface index
  EXPECT_EQ(devices[0].name, "lo");
  EXPECT_FALSE(devices[0].dma);
  EXPECT_EQ(devices[1].id, network_device(2));
  EXPECT_EQ(devices[1].driver, "e1000e");
  EXPECT_TRUE(devices[1].dma);
  EXPECT_FALSE(devices[2].dma);  // copies into buffers that it shares with its host
}

TEST_F(FakeSysfs, scsi_without_an_adapter_has_no_dma) {
  const std::string iscsi = "devices/platform/host2/session1/target2:0:0/2:0:0:0";
  driver(iscsi, "scsi", "sd");
  disk("8:16", iscsi + "/block/sdb", iscsi);
  EXPECT_EQ(device("sdb").device.driver, "sd");
  EXPECT_FALSE(device("sdb").device.dma);
}

TEST_F(FakeSysfs, nvme_moves_data_by_dma_unless_its_transport_copies) {
  disk("259:0", "devices/pci0/nvme/nvme0/nvme0n1", "devices/pci0/nvme/nvme0");
  file("devices/pci0/nvme/nvme0/transport", "pcie");
  // A multipath head: its device is the subsystem, which links the controllers.
  file("devices/virtual/nvme-subsystem/nvme-subsys1/nvme1/transport", "tcp");
  disk("259:1", "devices/virtual/nvme-subsystem/nvme-subsys1/nvme1n1",
       "devices/virtual/nvme-subsystem/nvme-subsys1");
  EXPECT_EQ(device("nvme0n1").device.driver, "nvme");
  EXPECT_TRUE(device("nvme0n1").device.dma);
  EXPECT_EQ(device("nvme1n1").device.driver, "nvme-tcp");
  EXPECT_FALSE(device("nvme1n1").device.dma);
}

TEST_F(FakeSysfs, software_devices_have_no_dma) {
  const std::pair<const char*, const char*> expected[] = {
      {"loop0", "loop"},         {"zram0", "zram"}, {"ram3", "brd"},
      {"dm-1", "device-mapper"}, {"md127", "md"},   {"nullb0", "null_blk"}};
  int minor = 0;
  for (const auto& [name, driver] : expected) {
    disk("7:" + std::to_string(minor++), std::string("devices/virtual/block/") + name);
    EXPECT_EQ(device(name).device.driver, driver);
    EXPECT_FALSE(device(name).device.dma);
    EXPECT_FALSE(device(name).dma_api);
    EXPECT_EQ(device(name).note, "");
  }
}

TEST_F(FakeSysfs, odd_names_and_dangling_links_do_no_harm) {
  disk("104:0", "devices/pci0/cciss0/block/cciss!c0d0");
  link("8:0", "devices/nowhere");
  link("garbage", "devices/pci0");
  ASSERT_EQ(list_block_devices(root_.string()).size(), 1U);
  EXPECT_EQ(device("cciss/c0d0").device.driver, "");
  EXPECT_TRUE(list_block_devices("/nonexistent").empty());
}

TEST(Devices, of_this_machine_include_the_one_below_the_root_or_none) {
  for (const BlockDevice& block : list_block_devices()) {
    EXPECT_FALSE(block.device.name.empty());
    EXPECT_GE(block.device.logical_block_size, 512U);
    EXPECT_TRUE(fs::exists("/sys/class/block/" + block.device.name)) << block.device.name;
  }
}

}  // namespace
}  // namespace iohops
