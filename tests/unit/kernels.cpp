#include "kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iohops::test {

Features linux_6_18() {
  const Types task = {"struct task_struct *"};
  const Types folio_mapping = {"struct folio *", "struct address_space *"};
  Features features;
  features.machine = "x86_64";
  features.helpers = {"bpf_get_current_task_btf", "bpf_ringbuf_reserve", "bpf_find_vma",
                      "bpf_for_each_map_elem", "bpf_loop", "bpf_task_pt_regs"};
  features.program_types = {"BPF_PROG_TYPE_SYSCALL"};
  features.tracepoints = {
      {"sys_enter", {"struct pt_regs *", "long"}},
      {"sys_exit", {"struct pt_regs *", "long"}},
      {"sched_switch", {"bool", "struct task_struct *", "struct task_struct *", "unsigned int"}},
      {"sched_process_fork", {"struct task_struct *", "struct task_struct *"}},
      {"sched_process_exec", {"struct task_struct *", "pid_t", "struct linux_binprm *"}},
      {"sched_process_exit", {"struct task_struct *", "bool"}},
      {"task_rename", {"struct task_struct *", "const char *"}},
      {"page_fault_user", {"unsigned long", "struct pt_regs *", "unsigned long"}},
      {"mm_filemap_fault", {"struct address_space *", "unsigned long"}},
      {"mm_filemap_map_pages", {"struct address_space *", "unsigned long", "unsigned long"}},
      {"mm_filemap_add_to_page_cache", {"struct folio *"}},
      {"writeback_dirty_folio", folio_mapping},
      {"folio_wait_writeback", folio_mapping},
      {"writeback_start", {"struct bdi_writeback *", "struct wb_writeback_work *"}},
      {"writeback_written", {"struct bdi_writeback *", "struct wb_writeback_work *"}},
      {"writeback_single_inode_start", {"struct inode *", "struct writeback_control *"}},
      {"balance_dirty_pages", {"struct bdi_writeback *", "struct dirty_throttle_control *"}},
      {"block_bio_queue", {"struct bio *"}},
      {"net_dev_start_xmit", {"const struct sk_buff *", "const struct net_device *"}},
      {"skb_copy_datagram_iovec", {"const struct sk_buff *", "int"}},
      {"io_uring_submit_req", {"struct io_kiocb *"}},
      {"io_uring_queue_async_work", {"struct io_kiocb *", "int"}},
      {"io_uring_cqe_overflow", {"void *", "long long unsigned int", "s32", "u32", "void *"}},
      {"io_uring_complete", {"struct io_ring_ctx *", "void *", "struct io_uring_cqe *"}},
      {"iomap_dio_rw_begin", {"struct kiocb *", "struct iov_iter *", "unsigned int", "size_t"}},
      {"iomap_dio_rw_queued", {"struct inode *", "loff_t", "u64"}},
      {"block_bio_remap", {"struct bio *", "dev_t", "sector_t"}},
      {"iomap_dio_complete", {"struct kiocb *", "int", "ssize_t"}},
      {"block_split", {"struct bio *", "unsigned int"}},
      {"block_rq_insert", {"struct request *"}},
      {"block_rq_issue", {"struct request *"}},
      {"block_rq_complete", {"struct request *", "blk_status_t", "unsigned int"}},
      {"block_bio_complete", {"struct request_queue *", "struct bio *"}},
      {"dma_map_phys",
       {"struct device *", "phys_addr_t", "dma_addr_t", "size_t", "enum dma_data_direction",
        "unsigned long"}},
      {"dma_map_sg",
       {"struct device *", "struct scatterlist *", "int", "int", "enum dma_data_direction",
        "unsigned long"}},
      {"swiotlb_bounced", {"struct device *", "dma_addr_t", "size_t"}},
      {"map", {"unsigned long", "phys_addr_t", "size_t"}},
      {"rss_stat", {"struct mm_struct *", "int"}},
  };
  const std::string direction = "enum dma_data_direction";
  features.functions = {
      {"do_wp_page", {"struct vm_fault *"}},
      {"swiotlb_tbl_map_single",
       {"struct device *", "phys_addr_t", "size_t", "unsigned int", direction, "unsigned long"}},
      {"swiotlb_bounce",
       {"struct device *", "phys_addr_t", "size_t", direction, "struct io_tlb_pool *"}},
  };
  return features;
}

const PlannedProgram& program(const Plan& plan, std::string_view name) {
  for (const PlannedProgram& p : plan.programs)
    if (p.program == name) return p;
  static const PlannedProgram none;
  ADD_FAILURE() << "no program " << name;
  return none;
}

bool is_missing(const Plan& plan, std::string_view hook) {
  const auto missing = plan.missing();
  return std::any_of(missing.begin(), missing.end(),
                     [&](const MissingHook& m) { return m.hook == hook; });
}

}  // namespace iohops::test
