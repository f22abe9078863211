// The table of programs, true to bpf/*.bpf.c.
#include "core/plan.hpp"

namespace iohops {
namespace {

constexpr std::string_view kRequest = "struct request *";
constexpr std::string_view kQueueRequest = "struct request_queue *, struct request *";
constexpr std::string_view kBio = "struct bio *";
constexpr std::string_view kFolio = "struct folio *";
constexpr std::string_view kFolioMapping = "struct folio *, struct address_space *";
constexpr std::string_view kPage = "struct page *";
constexpr std::string_view kPageMapping = "struct page *, struct address_space *";
constexpr std::string_view kQueueBio = "struct request_queue *, struct bio *";
constexpr std::string_view kTask = "struct task_struct *";
constexpr std::string_view kWritebackWork = "struct bdi_writeback *, struct wb_writeback_work *";

constexpr std::string_view kReasonLost = "why a flusher wrote what requests had made dirty";
constexpr std::string_view kEverything = "everything: a request begins and ends at a system call";
constexpr std::string_view kDeviceWork = "all device work: DMA, its causes, and who asked for it";
constexpr std::string_view kMissesLost = "page-cache misses and readahead";
constexpr std::string_view kDirtyLost = "how many bytes a request turned from clean to dirty";
constexpr std::string_view kWaitLost = "that a wait was for the writing of the request's own data";
constexpr std::string_view kSplitLost =
    "who owns the first parts of bios that are larger than the device takes";
constexpr std::string_view kInsertLost = "how long a block request waited before the I/O scheduler";
constexpr std::string_view kIssueLost =
    "when the device got a block request, and how often it was requeued; in which file a loop device lies";
constexpr std::string_view kUserFaultLost = "page faults on file mappings";
constexpr std::string_view kFaultLost =
    "file and offset of page faults that add no page to the page cache";
constexpr std::string_view kRingLost =
    "requests of io_uring: what they do counts as io_uring_enter's, or nobody's";
constexpr std::string_view kStacksLost =
    "what device mappers and md do on the devices below for a request";
constexpr std::string_view kLoopsLost =
    "what loop devices do on the devices below for a request";
constexpr std::string_view kDirectLost =
    "what loop devices with direct I/O do on the devices below for a request; to which of several requests of one "
    "io_submit device work belongs: it is io_submit's";
constexpr std::string_view kDirectEndLost =
    "what loop devices with direct I/O do on the devices below for a request; when a request of libaio was over: it "
    "ends when it is collected";
constexpr std::string_view kStreamsLost =
    "the copies of the C library's streams (fread, fwrite), in user space";
constexpr std::string_view kCowLost =
    "copies of pages of private mappings that were mapped before the store";
constexpr std::string_view kMapLost =
    "that the DMA layer maps the memory of NVMe disks: their DMA is derived";
constexpr std::string_view kBouncesLost = "CPU copies through bounce buffers (swiotlb)";
constexpr std::string_view kBounceCopiesLost =
    "measured copies through bounce buffers: they are derived from what is mapped";

// The functions that copy between an application's memory and the kernel's, and their arguments.
constexpr std::string_view kCopiesLost =
    "measured CPU copies: they are derived from the result and the kind of file";
constexpr std::string_view kIter = "struct kiocb *, struct iov_iter *";
constexpr std::string_view kIterOfFile = "_, struct iov_iter *";  // a struct file up to 6.0
constexpr std::string_view kIterOnTop = "struct kiocb *, struct iov_iter *, ssize_t";
constexpr std::string_view kSocketPart = "_, int, struct iov_iter *, int";
constexpr std::string_view kDaxPart = "struct dax_device *, _, _, size_t, struct iov_iter *";

// Those of a tracepoint stand in for each other.
constexpr ProgramSpec hook(std::string_view program, std::string_view tracepoint,
                           std::string_view arguments, std::string_view lost) {
  return {.program = program,
          .tracepoint = tracepoint,
          .arguments = arguments,
          .lost = lost,
          .group = tracepoint};
}

constexpr ProgramSpec copy_hook(std::string_view program, std::string_view function,
                                std::string_view arguments, Attach attach, uint8_t hook) {
  return {.program = program,
          .tracepoint = function,
          .arguments = arguments,
          .lost = kCopiesLost,
          .group = function,
          .helper = attach == Attach::kFexit ? "bpf_get_func_ret" : "",
          .attach = attach,
          .copy_hook = hook};
}

// The three programs of a function: COPY_HOOK of bpf/copy.bpf.c.
#define COPY_HOOKS(program, function, arguments, hook)                    \
  copy_hook(program, function, arguments, Attach::kFexit, hook),          \
      copy_hook("k" program, function, arguments, Attach::kKprobe, hook), \
      copy_hook("r" program, function, arguments, Attach::kKretprobe, hook)

constexpr ProgramSpec kPrograms[] = {
    {.program = "syscall_enter",
     .tracepoint = "sys_enter",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .group = "syscall_enter",
     .helper = "bpf_find_vma",
     .required = true},
    {.program = "syscall_enter_plain",
     .tracepoint = "sys_enter",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .group = "syscall_enter",
     .required = true},
    {.program = "syscall_exit",
     .tracepoint = "sys_exit",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .required = true},
    {.program = "syscall_leftovers",
     .tracepoint = "",
     .arguments = "",
     .lost = "requests that are still running when tracing stops",
     .helper = "bpf_for_each_map_elem"},
    {.program = "sched_switch",
     .tracepoint = "sched_switch",
     .arguments = "bool, struct task_struct *, struct task_struct *",
     .lost = "waits, off-CPU time and context switches of requests"},
    {.program = "sched_fork",
     .tracepoint = "sched_process_fork",
     .arguments = "struct task_struct *, struct task_struct *",
     .lost = "children of traced processes (-f)"},
    {.program = "sched_exec",
     .tracepoint = "sched_process_exec",
     .arguments = "struct task_struct *, _",
     .lost = "the name of a process after exec"},
    {.program = "sched_rename",
     .tracepoint = "task_rename",
     .arguments = "struct task_struct *, const char *",
     .lost = "new names of threads"},
    {.program = "sched_exit",
     .tracepoint = "sched_process_exit",
     .arguments = kTask,
     .lost = "the ends of processes, and of the requests that they died in"},
    {.program = "fault_user",
     .tracepoint = "page_fault_user",
     .arguments = "unsigned long, struct pt_regs *, unsigned long",
     .lost = kUserFaultLost,
     .group = "fault_user"},
    {.program = "fault_sampled",
     .tracepoint = "page-faults",
     .arguments = "",
     .lost = kUserFaultLost,
     .group = "fault_user",
     .instead_of = "fault_user",  // the event says less than the tracepoint
     .attach = Attach::kPageFaults},
    {.program = "fault_filemap",
     .tracepoint = "mm_filemap_fault",
     .arguments = "struct address_space *, unsigned long",
     .lost = kFaultLost},
    {.program = "fault_map",
     .tracepoint = "mm_filemap_map_pages",
     .arguments = "struct address_space *, unsigned long, unsigned long",
     .lost = kFaultLost},
    {.program = "fault_cow",
     .tracepoint = "do_wp_page",
     .arguments = "struct vm_fault *",
     .lost = kCowLost,
     .group = "fault_cow",
     .attach = Attach::kFunction},
    {.program = "fault_rss",
     .tracepoint = "rss_stat",
     .arguments = "struct mm_struct *, int, .",
     .lost = kCowLost,
     .group = "fault_cow",
     .instead_of = "fault_cow",
     .helper = "bpf_find_vma"},
    {.program = "cache_add",
     .tracepoint = "mm_filemap_add_to_page_cache",
     .arguments = kFolio,
     .lost = kMissesLost,
     .group = "cache_add"},
    {.program = "cache_add_page",
     .tracepoint = "mm_filemap_add_to_page_cache",
     .arguments = kPage,
     .lost = kMissesLost,
     .group = "cache_add"},
    {.program = "writeback_dirty",
     .tracepoint = "writeback_dirty_folio",
     .arguments = kFolioMapping,
     .lost = kDirtyLost,
     .group = "writeback_dirty"},
    {.program = "wb_dirty_page",
     .tracepoint = "writeback_dirty_page",
     .arguments = kPageMapping,
     .lost = kDirtyLost,
     .group = "writeback_dirty"},
    {.program = "writeback_wait",
     .tracepoint = "folio_wait_writeback",
     .arguments = kFolioMapping,
     .lost = kWaitLost,
     .group = "writeback_wait"},
    {.program = "wb_wait_page",
     .tracepoint = "wait_on_page_writeback",
     .arguments = kPageMapping,
     .lost = kWaitLost,
     .group = "writeback_wait"},
    hook("writeback_begin", "writeback_start", kWritebackWork, kReasonLost),
    hook("writeback_end", "writeback_written", kWritebackWork, kReasonLost),
    hook("writeback_inode", "writeback_single_inode_start", "struct inode *", kReasonLost),
    {.program = "writeback_throttle",
     .tracepoint = "balance_dirty_pages",
     .arguments = "",
     .lost = "that a wait was ordered by the limit of dirty pages (it counts as \"other\")"},
    {.program = "block_queue",
     .tracepoint = "block_bio_queue",
     .arguments = kBio,
     .lost = kDeviceWork,
     .group = "block_queue"},
    {.program = "block_queue_q",
     .tracepoint = "block_bio_queue",
     .arguments = kQueueBio,
     .lost = kDeviceWork,
     .group = "block_queue"},
    {.program = "block_split",
     .tracepoint = "block_split",
     .arguments = kBio,
     .lost = kSplitLost,
     .group = "block_split"},
    {.program = "block_split_q",
     .tracepoint = "block_split",
     .arguments = kQueueBio,
     .lost = kSplitLost,
     .group = "block_split"},
    {.program = "block_insert",
     .tracepoint = "block_rq_insert",
     .arguments = kRequest,
     .lost = kInsertLost,
     .group = "block_insert"},
    {.program = "block_insert_q",
     .tracepoint = "block_rq_insert",
     .arguments = kQueueRequest,
     .lost = kInsertLost,
     .group = "block_insert"},
    {.program = "block_issue",
     .tracepoint = "block_rq_issue",
     .arguments = kRequest,
     .lost = kIssueLost,
     .group = "block_issue"},
    {.program = "block_issue_q",
     .tracepoint = "block_rq_issue",
     .arguments = kQueueRequest,
     .lost = kIssueLost,
     .group = "block_issue"},
    {.program = "block_complete",
     .tracepoint = "block_rq_complete",
     .arguments = "struct request *, _, unsigned int",
     .lost = kDeviceWork},
    {.program = "block_bio_done",
     .tracepoint = "block_bio_complete",
     .arguments = "struct request_queue *, struct bio *",
     .lost = "device work of drivers without requests (device-mapper, md, zram)"},
    {.program = "net_send",
     .tracepoint = "net_dev_start_xmit",
     .arguments = "const struct sk_buff *, _",
     .lost = "what network devices send for sockets"},
    {.program = "net_receive",
     .tracepoint = "skb_copy_datagram_iovec",
     .arguments = "const struct sk_buff *, int",
     .lost = "through which network device received bytes came"},
    {.program = "uring_submit",
     .tracepoint = "io_uring_submit_req",
     .arguments = "struct io_kiocb *",
     .lost = kRingLost,
     .group = "uring_submit"},
    {.program = "uring_submit_sqe",
     .tracepoint = "io_uring_submit_sqe",
     .arguments = "struct io_kiocb *",
     .lost = kRingLost,
     .group = "uring_submit"},
    {.program = "uring_punt",
     .tracepoint = "io_uring_queue_async_work",
     .arguments = "struct io_kiocb *",
     .lost = "which requests of io_uring its thread pool works on"},
    {.program = "uring_complete",
     .tracepoint = "io_uring_complete",
     .arguments = "_, _, _, int",
     .lost = kRingLost,
     .group = "uring_complete"},
    {.program = "uring_done",
     .tracepoint = "io_uring_complete",
     .arguments = "_, _, struct io_uring_cqe *",
     .lost = kRingLost,
     .group = "uring_complete"},
    {.program = "uring_overflow",
     .tracepoint = "io_uring_cqe_overflow",
     .arguments = "_, long long unsigned int, s32, u32, _",
     .lost = "completions of multishot requests for which io_uring's ring had no room"},
    hook("stack_remap", "block_bio_remap", "struct bio *, _, _", kStacksLost),
    hook("stack_remap_q", "block_bio_remap", "struct request_queue *, struct bio *, _, _", kStacksLost),
    hook("direct_begin", "iomap_dio_rw_begin", "struct kiocb *", kDirectLost),
    hook("direct_queued", "iomap_dio_rw_queued", "", kLoopsLost),
    hook("direct_done", "iomap_dio_complete", "struct kiocb *", kDirectEndLost),
    {.program = "stdio_read",
     .tracepoint = "fread,fread_unlocked",
     .arguments = "",
     .lost = kStreamsLost,
     .attach = Attach::kUprobe},
    {.program = "stdio_read_end",
     .tracepoint = "fread,fread_unlocked",
     .arguments = "",
     .lost = kStreamsLost,
     .attach = Attach::kUretprobe},
    {.program = "stdio_write",
     .tracepoint = "_IO_file_xsputn",
     .arguments = "",
     .lost = kStreamsLost,
     .attach = Attach::kUprobe},
    {.program = "stdio_write_end",
     .tracepoint = "_IO_file_xsputn",
     .arguments = "",
     .lost = kStreamsLost,
     .attach = Attach::kUretprobe},
    {.program = "dma_map_page",
     .tracepoint = "dma_map_page",
     .arguments = "struct device *, phys_addr_t, dma_addr_t, size_t",
     .lost = kMapLost,
     .group = "dma_map",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_map_phys",
     .tracepoint = "dma_map_phys",
     .arguments = "struct device *, phys_addr_t, dma_addr_t, size_t",
     .lost = kMapLost,
     .group = "dma_map",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_map_sg",
     .tracepoint = "dma_map_sg",
     .arguments = "struct device *, struct scatterlist *, int",
     .lost = "that the DMA layer maps the lists of SCSI, SATA and USB disks: their DMA is derived",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_iommu",
     .tracepoint = "map",
     .arguments = "unsigned long, phys_addr_t, size_t",
     .lost = "that the IOMMU maps what NVMe links past the DMA layer (6.17): its DMA is derived",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_bounced",
     .tracepoint = "swiotlb_bounced",
     .arguments = "struct device *, dma_addr_t, size_t",
     .lost = kBouncesLost,
     .group = "dma_bounced",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "bounced_plain",
     .tracepoint = "swiotlb_bounced",
     .arguments = "struct device *, dma_addr_t, size_t",
     .lost = kBouncesLost,
     .group = "dma_bounced",
     .dma_layer = true},
    {.program = "bounce_copy",
     .tracepoint = "swiotlb_bounce",
     .arguments = "_, phys_addr_t, size_t, enum dma_data_direction",
     .lost = kBounceCopiesLost,
     .group = "bounce_copy",
     .dma_layer = true,
     .attach = Attach::kFunction},
    {.program = "bounce_map",
     .tracepoint = "swiotlb_tbl_map_single",
     .arguments = "struct device *, phys_addr_t, size_t, _, enum dma_data_direction, unsigned long",
     .lost = kBounceCopiesLost,
     .group = "bounce_copy",
     .dma_layer = true,
     .attach = Attach::kFunction},
    {.program = "dma_learn",
     .tracepoint = "",
     .arguments = "",
     .lost = "the DMA evidence of mappings that are told by physical address",
     .dma_layer = true,
     .attach = Attach::kRun},
    COPY_HOOKS("copy_read_old", "generic_file_buffered_read", kIterOnTop, WIRE_COPY_READ_OLD),
    COPY_HOOKS("copy_read", "filemap_read", kIterOnTop, WIRE_COPY_READ),
    COPY_HOOKS("copy_shmem", "shmem_file_read_iter", kIter, WIRE_COPY_SHMEM),
    COPY_HOOKS("copy_write", "generic_perform_write", kIterOfFile, WIRE_COPY_WRITE),
    COPY_HOOKS("copy_iomap", "iomap_file_buffered_write", kIter, WIRE_COPY_IOMAP),
    COPY_HOOKS("copy_pipe_in_o", "pipe_write", kIter, WIRE_COPY_PIPE_IN_OLD),
    COPY_HOOKS("copy_pipe_o", "pipe_read", kIter, WIRE_COPY_PIPE_OUT_OLD),
    COPY_HOOKS("copy_pipe_in", "anon_pipe_write", kIter, WIRE_COPY_PIPE_IN),
    COPY_HOOKS("copy_pipe", "anon_pipe_read", kIter, WIRE_COPY_PIPE_OUT),
    COPY_HOOKS("copy_skb", "skb_copy_datagram_iter", kSocketPart, WIRE_COPY_SOCKET_OUT),
    COPY_HOOKS("copy_skb_in", "skb_copy_datagram_from_iter", kSocketPart, WIRE_COPY_SOCKET_IN),
    COPY_HOOKS("copy_dax", "dax_copy_to_iter", kDaxPart, WIRE_COPY_DAX_OUT),
    COPY_HOOKS("copy_dax_in", "dax_copy_from_iter", kDaxPart, WIRE_COPY_DAX_IN),
    COPY_HOOKS("copy_lent", "skb_copy_ubufs", "struct sk_buff *", WIRE_COPY_LENT),
};

}  // namespace

std::span<const ProgramSpec> program_table() { return kPrograms; }

}  // namespace iohops
