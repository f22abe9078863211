// Block devices of this machine and whether their drivers move data by DMA, from sysfs.
#pragma once

#include <string>
#include <vector>

#include "core/model/model.hpp"

namespace iohops {

struct BlockDevice {
  Device device;         // a partition has its disk's driver, dma and block size
  uint32_t disk = 0;     // dev_t of the whole disk; its own for a disk
  bool dma_api = false;  // mappings go through the kernel's DMA API, so that dma:* events can come
  std::string note;      // why not, if dma is set and dma_api is not
};

// Sorted by dev_t. An unreadable entry is left out. `sysfs` is /sys but for tests.
std::vector<BlockDevice> list_block_devices(const std::string& sysfs = "/sys");

// Network devices of this namespace; software ones (lo, veth, bridges) have no driver and no DMA.
std::vector<Device> list_network_devices(const std::string& sysfs = "/sys");

// The part of it that goes into a header.
std::vector<Device> model_devices(const std::vector<BlockDevice>&);

}  // namespace iohops
