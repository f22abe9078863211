// Who pays for a commit of the journal: jbd2 and its kin write in threads of their own, for all requests
// that wait for durability.
#include "core/rebuild/commits.hpp"

#include "core/ops.hpp"
#include "core/rebuild/blk_types.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr uint32_t kODsync = 0x1000;  // O_DSYNC, and part of O_SYNC, on every architecture
constexpr uint32_t kRwfSync = 2 | 4;  // RWF_DSYNC | RWF_SYNC (linux/fs.h)
// A request that waited for a commit ends soon after it; a large fsync commits in its middle.
constexpr uint64_t kSyncWaitNs = 1'000'000'000;
constexpr size_t kMaxSyncs = 65536;
constexpr size_t kMaxOpen = 1024;

bool concerns(RebuildState& s, uint32_t dev, const OpenCommit& commit) {
  if (dev == 0 || dev == commit.dev || dev == commit.super_block) return true;
  const uint32_t* device = s.commits.device_of.find(dev);
  return device != nullptr && *device == commit.dev;
}

bool waited_for(RebuildState& s, const SyncWait& sync, const OpenCommit& commit) {
  if (sync.start_ns > commit.done_ns || sync.end_ns < commit.done_ns) return false;
  if (concerns(s, sync.dev, commit)) return true;
  // A sync of a file system on a loop device waits for the one that the device lies in, too.
  const uint32_t* device = s.commits.device_of.find(sync.dev);
  const LoopDevice* loop = s.stack.loop(device != nullptr ? *device : sync.dev);
  return loop != nullptr && concerns(s, loop->below, commit);
}

Status settle(RebuildState& s, const OpenCommit& commit) {
  PendingTransfer& transfer = s.transfers[commit.slot];
  Claim claim;
  claim.part = commit.part;
  claim.oldest_end_ns = UINT64_MAX;  // none has ended: it is no delayed work
  for (const SyncWait& sync : s.commits.syncs)
    if (waited_for(s, sync, commit)) claim.shares.push_back({sync.id, 0});
  const uint64_t bytes = transfer.parts[commit.part].bytes;
  const uint64_t sharers = claim.shares.size();
  for (size_t i = 0; i < sharers; i++) claim.shares[i].bytes = bytes / sharers + (i < bytes % sharers);
  if (sharers > 0) transfer.claims.push_back(std::move(claim));
  transfer.waiting_for--;
  return release_if_resolved(s, commit.slot);
}

}  // namespace

bool asks_for_sync(const wire_request& request) {
  if (family(request.op) == OpFamily::kSync) return true;
  const bool has_rwf =
      request.op == WIRE_OP_PWRITEV2 || (is_ringed(request.op) && !is_message(request.op));
  return (request.open_flags & kODsync) != 0 || (has_rwf && (request.call_flags & kRwfSync) != 0);
}

void note_sync(RebuildState& s, const wire_request_detail& record, RequestId id, const FileState* file) {
  const wire_request& request = record.request;
  const OpFamily asked = family(request.op);
  if (asked != OpFamily::kSync && asked != OpFamily::kWrite && asked != OpFamily::kMove) return;
  if (!asks_for_sync(request) || (file == nullptr && request.op != WIRE_OP_SYNC)) return;
  const uint32_t dev = file == nullptr ? 0 : file->kind == FileKind::kBlock ? file->rdev : file->dev;
  std::deque<SyncWait>& syncs = s.commits.syncs;
  while (!syncs.empty() && (syncs.size() >= kMaxSyncs ||
                            syncs.front().end_ns + 2 * kSyncWaitNs < request.header.time_ns))
    syncs.pop_front();
  syncs.push_back({id, dev, request.start_ns, request.header.time_ns});
}

void keep_commit(RebuildState& s, uint32_t slot, uint32_t part) {
  PendingTransfer& transfer = s.transfers[slot];
  const TransferPart& one = transfer.parts[part];
  // btrfs has no journal: it commits its trees.
  const bool tree = one.cause == Cause::kMetadata && blk::is_write(one.bio.op_flags) &&
                    (one.bio.op_flags & blk::kSync) != 0;
  const bool commits = one.cause == Cause::kJournal || one.cause == Cause::kFlush || tree;
  if (!commits || one.owner.seq != 0 || s.commits.open.size() >= kMaxOpen) return;
  const uint64_t done = transfer.record.header.time_ns;
  transfer.waiting_for++;
  s.commits.open.push_back({slot, part, one.bio.origin_dev, one.bio.dev, done});
  s.deadline_ns = std::min(s.deadline_ns, done + kSyncWaitNs);
}

Status settle_commits(RebuildState& s, uint64_t now_ns) {
  std::deque<OpenCommit>& open = s.commits.open;
  while (!open.empty() && (now_ns == UINT64_MAX || open.front().done_ns + kSyncWaitNs <= now_ns)) {
    const OpenCommit commit = open.front();
    open.pop_front();
    if (Status status = settle(s, commit); !status) return status;
  }
  if (!open.empty()) s.deadline_ns = std::min(s.deadline_ns, open.front().done_ns + kSyncWaitNs);
  return {};
}

}  // namespace iohops
